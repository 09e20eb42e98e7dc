// Turns the verbose event of an object store into a short one of our own: what was stored, where, and how large it is.

export function handle(event) {
  const { bucket, name, size, contentType, timeCreated } = event.data;

  return {
    type: "object.stored",
    subject: `${bucket}/${name}`,
    time: timeCreated,
    data: { bucket, name, contentType, bytes: Number(size) },
  };
}
