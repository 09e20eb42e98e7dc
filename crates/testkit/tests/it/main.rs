//! The simulation: the real flow over the real engine, on a machine that fails, with functions that fail, in virtual
//! time.

mod simulation;
