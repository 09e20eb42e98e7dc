//! What logs have in common that differ from another one in an operation or two.

/// Writes those operations of `LogEngine` that only go on to the log in the field `inner`: it stands within the `impl`, with
/// their names. Whoever uses it has the crates of these signatures among its own dependencies.
#[macro_export]
macro_rules! delegate_to_inner {
    ($($operation:ident),+ $(,)?) => { $($crate::delegate_to_inner!(@ $operation);)+ };
    (@ append) => {
        $crate::delegate_to_inner!(@@ append(append: ::weir_log::Append) -> ::weir_log::Receipt);
    };
    (@ read) => {
        $crate::delegate_to_inner!(@@ read(read: ::weir_log::Read) -> ::weir_log::Page);
    };
    (@ position_at) => {
        $crate::delegate_to_inner!(@@ position_at(time: ::weir_domain::Timestamp) -> ::weir_domain::Position);
    };
    (@ count) => {
        $crate::delegate_to_inner!(@@ count(
            space: ::weir_domain::SpaceName,
            filter: ::weir_log::Filter,
            range: ::std::ops::Range<::weir_domain::Position>,
            limit: u64
        ) -> ::weir_log::Counted);
    };
    (@ find) => {
        $crate::delegate_to_inner!(@@ find(
            space: ::weir_domain::SpaceName,
            source: String,
            id: String
        ) -> Option<::weir_domain::Position>);
    };
    (@ load_checkpoints) => {
        $crate::delegate_to_inner!(@@ load_checkpoints(names: Vec<String>) -> Vec<Option<::bytes::Bytes>>);
    };
    (@ store_checkpoints) => {
        $crate::delegate_to_inner!(@@ store_checkpoints(values: Vec<(String, ::bytes::Bytes)>) -> ());
    };
    (@ remove_checkpoints) => {
        $crate::delegate_to_inner!(@@ remove_checkpoints(names: Vec<String>) -> ());
    };
    (@ close) => {
        $crate::delegate_to_inner!(@@ close() -> ());
    };
    (@ load_checkpoint) => {
        fn load_checkpoint(
            &self,
            name: &str,
        ) -> ::futures_util::future::BoxFuture<'_, Result<Option<::bytes::Bytes>, ::weir_log::LogError>> {
            self.inner.load_checkpoint(name)
        }
    };
    (@ durable_end) => {
        fn durable_end(&self) -> ::tokio::sync::watch::Receiver<::weir_domain::Position> {
            self.inner.durable_end()
        }
    };
    (@ arrivals) => {
        fn arrivals(
            &self,
            space: &::weir_domain::SpaceName,
            types: &[String],
        ) -> ::tokio::sync::watch::Receiver<::weir_domain::Position> {
            self.inner.arrivals(space, types)
        }
    };
    (@@ $operation:ident($($argument:ident: $type:ty),*) -> $output:ty) => {
        fn $operation(
            &self,
            $($argument: $type),*
        ) -> ::futures_util::future::BoxFuture<'_, Result<$output, ::weir_log::LogError>> {
            self.inner.$operation($($argument),*)
        }
    };
}
