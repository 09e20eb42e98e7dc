//! The functions of a world: what they do is drawn when they are called.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt, ready};
use weir_catalog::Function;
use weir_domain::{ErrorKind, FunctionId};
use weir_flow::{MakeError, MakeFunction};
use weir_functions::{Call, CallError, Draft, Invoke, Outcome};
use weir_testkit::{FakeFunction, pass};

use super::{
    plan::{Behaviour, Declared, How},
    world::World,
};

/// Makes the functions of a world.
pub(crate) struct Maker(BTreeMap<FunctionId, FakeFunction>);

impl Maker {
    pub(crate) fn of(world: &Arc<World>) -> Self {
        let functions = world.plan.functions.iter().enumerate();
        let made = functions.map(|(number, declared)| {
            let world = world.clone();
            let function = FakeFunction::new(move |call| act(world.clone(), number, call));
            (declared.function.clone(), function)
        });
        Self(made.collect())
    }
}

impl MakeFunction for Maker {
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, MakeError>> {
        let made = self.0.get(&function.id).cloned().map(|it| Arc::new(it) as Arc<dyn Invoke>);
        ready(made.ok_or_else(|| MakeError::new(ErrorKind::Invalid, "no such function", "name another"))).boxed()
    }
}

async fn act(world: Arc<World>, number: usize, call: Call) -> Result<Outcome, CallError> {
    let mut flying = world.take_off(number, &call);
    let declared = &world.plan.functions[number];
    let about = format!("{} with {}, attempt {}", declared.function, call.event.id(), call.attempt);
    let (takes, how) = world.draw(declared.behaviour);
    world.note(&format!("calls {about}"));
    pass(takes).await;
    world.note(&format!("ends {about}: {how:?}"));
    flying.land();
    match how {
        How::Returns => Ok(Outcome::Events(returned(declared, &call))),
        How::Fails(error) => Err(error),
        // As a panic, but that nobody prints it.
        How::Crashes => std::panic::resume_unwind(Box::new("as the plan wants it")),
    }
}

fn returned(declared: &Declared, call: &Call) -> Vec<Draft> {
    let key = call.key.as_ref().map(|key| key.as_str().to_owned());
    let draft = Draft { subject: key, ..Draft::new(declared.returns.as_str()) };
    match declared.behaviour {
        Behaviour::Many => vec![draft.clone(), draft],
        Behaviour::Twice => {
            let named = Draft { id: Some(format!("{}-of-{}", declared.function, call.event.id())), ..draft };
            vec![named.clone(), named]
        }
        _ => vec![draft],
    }
}
