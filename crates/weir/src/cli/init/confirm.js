// Is given each event `order.placed`. What it returns enters the log as a new event that names this one as its cause.

export function handle(event, context) {
  const { order } = event.data;
  console.log(`order ${order}, attempt ${context.attempt}`);
  return { type: "order.confirmed", subject: order, data: { order } };
}
