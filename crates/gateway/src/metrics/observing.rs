//! What the flow tells: calls of functions, and what became of events.

use weir_catalog::SystemEvent;
use weir_domain::SpaceName;
use weir_flow::{Authorized, DELIVERY_DROPPED, DELIVERY_FAILED, Dropped, Happening, Observer, Settled, Way};
use weir_log::EventReceipt;

use super::{Metrics, labels};

impl Observer for Metrics {
    fn observe(&self, happening: &Happening<'_>) {
        match happening {
            Happening::Called { space, function, took, returned, .. } => {
                let of_function = self.series.function(space.as_str(), function.as_str());
                of_function.succeeded.inc();
                of_function.duration.observe(*took);
                for event in *returned {
                    self.series.registered_type(space, event.event_type()).appended.inc();
                }
            }
            Happening::Failed { space, function, took, retry_in, .. } => {
                let of_function = self.series.function(space.as_str(), function.as_str());
                of_function.failed.inc();
                of_function.duration.observe(*took);
                if retry_in.is_some() {
                    of_function.retries.inc();
                }
            }
        }
    }

    fn settled(&self, settled: &Settled<'_>) {
        let Settled { space, function, event, way } = *settled;
        let of_type = self.series.registered_type(space, event.event_type());
        of_type.processed.inc();
        match way {
            Way::Delivery { age, is_given_up } => {
                self.series.processing.observe(age);
                if is_given_up {
                    self.series.function(space.as_str(), function.as_str()).given_up.inc();
                    self.series.registered_type(space, DELIVERY_FAILED).appended.inc();
                }
            }
            Way::Route { receipt: Some(receipt) } if receipt.duplicate => {
                of_type.space.duplicate.inc();
            }
            Way::Route { receipt: Some(_) } => {
                of_type.appended.inc();
            }
            Way::Route { receipt: None } => {}
        }
    }

    fn dropped(&self, dropped: &Dropped<'_>) {
        let Dropped { space, function, events } = *dropped;
        self.series.function(space.as_str(), function.as_str()).dropped.inc_by(events);
        self.series.registered_type(space, DELIVERY_DROPPED).appended.inc();
    }

    fn told(&self, space: &SpaceName, which: SystemEvent) {
        let of_type = self.series.registered_type(space, which.name());
        of_type.received.inc();
        of_type.appended.inc();
    }

    fn quarantined(&self, space: &SpaceName, receipt: &EventReceipt) {
        self.series.quarantined(space, receipt);
    }

    fn authorized(&self, authorized: &Authorized<'_>) {
        let space = self.series.registered_space(authorized.space);
        self.series.authorized(space, labels::decision(authorized.decision));
    }
}
