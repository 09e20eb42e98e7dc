// Makes an invoice of every order, or says why there is none.
//
// It is given the events `order.placed`. What it returns enters the log as a new event that names the order as its cause.
// Orders are handled side by side; two events of one order come one after the other, because the type is keyed by it.

export function handle(event, context) {
  const { order, customer, items } = event.data;

  if (!Array.isArray(items) || items.length === 0) {
    return { type: "order.refused", subject: order, data: { order, customer, reason: "there is nothing in it" } };
  }

  // Whole cents: money and fractions do not go together.
  const cents = items.reduce((sum, item) => sum + item.count * item.cents, 0);
  console.log(`invoice for ${order}: ${cents} cents, attempt ${context.attempt}`);
  return { type: "invoice.created", subject: order, data: { order, customer, cents } };
}
