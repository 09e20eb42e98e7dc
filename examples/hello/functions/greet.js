// Answers GET /hello/:name. The caller waits, so what it returns is an HTTP answer and not an event.

export function handle(event) {
  const { params, query } = event.data;
  const word = query.lang?.[0] === "de" ? "Hallo" : "Hello";

  return {
    statusCode: 200,
    headers: { "content-type": "text/plain; charset=utf-8" },
    body: `${word}, ${params.name}!\n`,
  };
}
