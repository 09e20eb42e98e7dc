//! Which space a request is for. Spaces come into being by use, so that none has to exist.

use http::HeaderMap;

use weir_domain::{NameError, SpaceName};

use crate::{headers, problem::Problem};

/// In front of a path on the Events API, with the name of the space behind it.
const PATH_PREFIX: &str = "/spaces/";

/// Spaces of the platform: what is in them is not for clients.
const RESERVED_PREFIX: &str = "weir.";

/// What a request on the Events API is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target<'p> {
    /// The space.
    pub(crate) space: SpaceName,
    /// The path within the space, still percent-encoded.
    pub(crate) path: &'p str,
    /// Whether the request names the space.
    pub(crate) is_named: bool,
}

/// Finds the space by the path prefix `/spaces/{space}/` or the header `Weir-Space`; neither means the default.
///
/// # Errors
/// Where a name is none, the two differ, or the space belongs to the platform.
pub(crate) fn select<'p>(path: &'p str, headers: &HeaderMap, default: &SpaceName) -> Result<Target<'p>, Problem> {
    let (in_path, path) = match path.strip_prefix(PATH_PREFIX) {
        Some(rest) => {
            let (name, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
            (Some(named(name)?), path)
        }
        None => (None, path),
    };
    let in_header = in_header(headers)?;
    let is_named = in_path.is_some() || in_header.is_some();
    let space = match (in_path, in_header) {
        (Some(in_path), Some(in_header)) if in_path != in_header => {
            return Err(Problem::invalid(format!(
                "the path names space \"{in_path}\" and the header Weir-Space names \"{in_header}\": name one space"
            )));
        }
        (Some(space), _) | (None, Some(space)) => space,
        (None, None) => default.clone(),
    };
    Ok(Target { space, path, is_named })
}

/// Makes the name of a space that clients may use.
///
/// # Errors
/// Where the text is no name, or the space belongs to the platform.
pub(crate) fn named(text: &str) -> Result<SpaceName, Problem> {
    refuse_reserved(text)?;
    Ok(SpaceName::new(text)?)
}

/// Refuses the spaces of the platform, whatever else the text is.
///
/// # Errors
/// Where the space belongs to the platform.
pub(crate) fn refuse_reserved(text: &str) -> Result<(), Problem> {
    if !text.starts_with(RESERVED_PREFIX) {
        return Ok(());
    }
    let name: String = text.chars().take(128).collect();
    Err(Problem::denied(format!("space \"{name}\" belongs to the platform: use a space of your own")))
}

fn in_header(headers: &HeaderMap) -> Result<Option<SpaceName>, Problem> {
    let mut values = headers.get_all(&headers::SPACE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.any(|other| other != value) {
        return Err(Problem::invalid("the header Weir-Space names different spaces: name one space"));
    }
    // A value beyond ASCII is no name; shown as well as it can be, it is refused like any other.
    named(&String::from_utf8_lossy(value.as_bytes())).map(Some)
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use weir_domain::SpaceName;

    use super::select;

    fn check(path: &str, values: &[&'static str], expected: Result<(&str, &str), &str>) {
        let mut headers = HeaderMap::new();
        for &value in values {
            headers.append("weir-space", HeaderValue::from_static(value));
        }
        let found = select(path, &headers, &SpaceName::default());
        let found =
            found.as_ref().map(|target| (target.space.as_str(), target.path)).map_err(|problem| problem.message());
        assert_eq!(found, expected, "{path} {values:?}");
    }

    #[test]
    fn the_space_comes_from_path_or_header() {
        check("/", &[], Ok(("default", "/")));
        check("/a/b", &[], Ok(("default", "/a/b")));
        check("/spaces", &[], Ok(("default", "/spaces")));
        check("/spaces/shop", &[], Ok(("shop", "/")));
        check("/spaces/shop/", &[], Ok(("shop", "/")));
        check("/spaces/shop/orders/7", &[], Ok(("shop", "/orders/7")));
        check("/spaces/shop//x", &[], Ok(("shop", "//x")));
        check("/orders", &["shop"], Ok(("shop", "/orders")));
        check("/spaces/shop/orders", &["shop"], Ok(("shop", "/orders")));
        check("/orders", &["shop", "shop"], Ok(("shop", "/orders")));
    }

    #[test]
    fn what_names_no_single_space_is_refused() {
        let rule = "a space name must be 3 to 128 of the characters a-z A-Z 0-9 . - _, but is";
        check("/spaces/", &[], Err(&format!("{rule} \"\"")));
        check("/spaces/ab/x", &[], Err(&format!("{rule} \"ab\"")));
        check("/", &["a b c"], Err(&format!("{rule} \"a b c\"")));
        check("/", &["one", "two"], Err("the header Weir-Space names different spaces: name one space"));
        check(
            "/spaces/one/x",
            &["two"],
            Err("the path names space \"one\" and the header Weir-Space names \"two\": name one space"),
        );
        let platform = "space \"weir.system\" belongs to the platform: use a space of your own";
        check("/spaces/weir.system/x", &[], Err(platform));
        check("/", &["weir.system"], Err(platform));
    }
}
