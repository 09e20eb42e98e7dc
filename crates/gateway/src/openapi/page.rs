//! A document as a page for people: one file, without scripts, that loads nothing.
//!
//! It knows the forms that documents here have, not all that OpenAPI could say.

mod forms;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderValue;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use forms::{bounds, escaped, inline, kind, prose, text};

const STYLE: &str = include_str!("page.css");

/// The methods of a path, in the order in which they are shown.
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// A page, and what browsers are told of it.
pub(crate) struct Page {
    pub(crate) html: Bytes,
    /// Its `Content-Security-Policy`: nothing but its own style.
    pub(crate) policy: HeaderValue,
}

impl Page {
    /// Writes the page, with links to others at its head.
    pub(crate) fn new(document: &Value, links: &[(&str, &str)]) -> Self {
        let mut writer = Writer { document, html: String::new() };
        writer.page(links);
        Self { html: writer.html.into(), policy: policy() }
    }
}

fn policy() -> HeaderValue {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is ASCII")
}

struct Writer<'d> {
    document: &'d Value,
    html: String,
}

impl<'d> Writer<'d> {
    fn put(&mut self, html: &str) {
        self.html.push_str(html);
    }

    fn page(&mut self, links: &[(&str, &str)]) {
        let info = &self.document["info"];
        let title = escaped(text(&info["title"]));
        self.put(&format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">To the content</a>\n<div class=\"page\">\n"
        ));
        self.navigation();
        let (version, about) = (escaped(text(&info["version"])), prose(text(&info["description"])));
        self.put(&format!("<main id=\"main\">\n<h1>{title}</h1>\n<p class=\"faint\">Version {version}"));
        for (name, path) in links {
            self.put(&format!(" · <a href=\"{}\">{}</a>", escaped(path), escaped(name)));
        }
        self.put(&format!("</p>\n{about}"));
        self.security();
        for tag in list(&self.document["tags"]) {
            let name = text(&tag["name"]);
            let (id, heading) = (anchor("tag", name), escaped(name));
            let about = prose(text(&tag["description"]));
            self.put(&format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n{about}"));
            for (path, method, operation) in operations(self.document, name) {
                self.operation(path, method, operation);
            }
            self.put("</section>\n");
        }
        self.schemas();
        self.put("</main>\n</div>\n</body>\n</html>\n");
    }

    fn navigation(&mut self) {
        self.put("<nav aria-label=\"Contents\">\n");
        for tag in list(&self.document["tags"]) {
            let name = text(&tag["name"]);
            self.put(&format!("<h2><a href=\"#{}\">{}</a></h2>\n<ul>\n", anchor("tag", name), escaped(name)));
            for (_, method, operation) in operations(self.document, name) {
                let (id, summary) = (text(&operation["operationId"]), inline(text(&operation["summary"])));
                self.put(&format!(
                    "<li><a href=\"#{}\"><span class=\"method {method}\">{method}</span> {summary}</a></li>\n",
                    anchor("operation", id)
                ));
            }
            self.put("</ul>\n");
        }
        self.put("<h2><a href=\"#schemas\">Schemas</a></h2>\n</nav>\n");
    }

    fn security(&mut self) {
        self.put("<h2 id=\"security\">Authentication</h2>\n");
        for (name, scheme) in members(&self.document["components"]["securitySchemes"]) {
            let (name, about) = (escaped(name), prose(text(&scheme["description"])));
            self.put(&format!("<p>Scheme <code>{name}</code>: <code>Authorization: Bearer …</code></p>\n{about}"));
        }
    }

    fn operation(&mut self, path: &str, method: &str, operation: &'d Value) {
        let id = anchor("operation", text(&operation["operationId"]));
        let (path, summary) = (escaped(path), inline(text(&operation["summary"])));
        let name = escaped(text(&operation["operationId"]));
        self.put(&format!(
            "<article id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h3 id=\"{id}-title\"><span class=\"method {method}\">\
             {method}</span> <code>{path}</code></h3>\n<p><strong>{summary}.</strong> <span class=\"faint\">{name}</span></p>\n"
        ));
        let about = prose(text(&operation["description"]));
        self.put(&about);
        self.parameters(operation);
        if let Some(body) = operation.get("requestBody") {
            let word = if body["required"] == true { "required" } else { "optional" };
            let about = prose(text(&body["description"]));
            self.put(&format!("<h4>Body <span class=\"faint\">({word})</span></h4>\n{about}"));
            self.content(body);
        }
        self.answers(operation);
        self.put("</article>\n");
    }

    fn parameters(&mut self, operation: &'d Value) {
        let parameters = list(&operation["parameters"]);
        if parameters.is_empty() {
            return;
        }
        self.table("Parameters", &["Name", "In", "Value", "Meaning"]);
        for parameter in parameters {
            let parameter = self.resolved(parameter);
            // The members of an object are parameters of their own, under this name with a dot behind it.
            let further = if parameter["schema"]["type"] == "object" { ".KEY" } else { "" };
            let name = escaped(text(&parameter["name"]));
            let needed = if parameter["required"] == true { " <span class=\"faint\">(required)</span>" } else { "" };
            let (place, about) = (escaped(text(&parameter["in"])), inline(text(&parameter["description"])));
            let value = format!("{}{}", kind(&parameter["schema"]), bounds(&parameter["schema"]));
            self.row(&[&format!("<code>{name}{further}</code>{needed}"), &place, &value, &about]);
        }
        self.put("</tbody></table></div>\n");
    }

    fn answers(&mut self, operation: &'d Value) {
        self.table("Answers", &["Status", "Meaning", "Headers", "Body"]);
        let answers = members(&operation["responses"]);
        for (status, answer) in answers.clone() {
            let answer = self.resolved(answer);
            let headers: Vec<String> = members(&answer["headers"])
                .map(|(name, header)| {
                    let when =
                        if header["required"] == true { "" } else { " <span class=\"faint\">(not always)</span>" };
                    format!("<code>{}</code>{when}", escaped(name))
                })
                .collect();
            let bodies: Vec<String> = members(&answer["content"])
                .map(|(media_type, body)| format!("<code>{}</code> {}", escaped(media_type), kind(&body["schema"])))
                .collect();
            let (status, about) = (escaped(status), inline(text(&answer["description"])));
            self.row(&[&format!("<code>{status}</code>"), &about, &headers.join("<br>"), &bodies.join("<br>")]);
        }
        self.put("</tbody></table></div>\n");
        for (status, answer) in answers {
            for (media_type, body) in members(&answer["content"]) {
                self.example(&format!("Example of {status}"), media_type, body);
            }
        }
    }

    fn content(&mut self, body: &'d Value) {
        self.put("<ul>\n");
        for (media_type, content) in members(&body["content"]) {
            let about = inline(text(&content["schema"]["description"]));
            let (media_type, kind) = (escaped(media_type), kind(&content["schema"]));
            self.put(&format!("<li><code>{media_type}</code> {kind} {about}</li>\n"));
        }
        self.put("</ul>\n");
        for (media_type, content) in members(&body["content"]) {
            self.example("Example", media_type, content);
        }
    }

    fn example(&mut self, title: &str, media_type: &str, content: &Value) {
        let Some(example) = content.get("example") else { return };
        let (title, media_type) = (escaped(title), escaped(media_type));
        let example = escaped(&format!("{example:#}"));
        self.put(&format!(
            "<details><summary>{title}: <code>{media_type}</code></summary>\n<pre tabindex=\"0\"><code>{example}</code></pre>\n\
             </details>\n"
        ));
    }

    fn schemas(&mut self) {
        self.put("<section aria-labelledby=\"schemas\">\n<h2 id=\"schemas\">Schemas</h2>\n");
        for (name, schema) in members(&self.document["components"]["schemas"]) {
            let (id, name) = (anchor("schema", name), escaped(name));
            let about = prose(text(&schema["description"]));
            let kind = kind(schema);
            self.put(&format!("<article id=\"{id}\">\n<h3>{name}</h3>\n{about}<p class=\"faint\">{kind}</p>\n"));
            self.properties(schema);
            self.put("</article>\n");
        }
        self.put("</section>\n");
    }

    fn properties(&mut self, schema: &'d Value) {
        let mut properties = members(&schema["properties"]).peekable();
        if properties.peek().is_none() {
            return;
        }
        let required = list(&schema["required"]);
        self.table("Members", &["Name", "Value", "Meaning"]);
        for (name, property) in properties {
            let needed = required.iter().any(|each| each == name);
            let needed = if needed { " <span class=\"faint\">(required)</span>" } else { "" };
            let value = format!("{}{}", kind(property), bounds(property));
            let about = inline(text(&property["description"]));
            self.row(&[&format!("<code>{}</code>{needed}", escaped(name)), &value, &about]);
        }
        if let Some(others) = schema["additionalProperties"].as_object() {
            let about = inline(others.get("description").map_or("", text));
            self.row(&["any other", &kind(&schema["additionalProperties"]), &about]);
        }
        self.put("</tbody></table></div>\n");
    }

    fn table(&mut self, title: &str, columns: &[&str]) {
        let columns: String = columns.iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect();
        self.put(&format!("<h4>{title}</h4>\n<div class=\"wide\"><table><thead><tr>{columns}</tr></thead><tbody>\n"));
    }

    fn row(&mut self, cells: &[&str]) {
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        self.put(&format!("<tr>{cells}</tr>\n"));
    }

    /// Follows a reference within the document.
    fn resolved(&self, value: &'d Value) -> &'d Value {
        let target = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        target.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }
}

/// Makes the name of a place in the page.
fn anchor(prefix: &str, name: &str) -> String {
    let name = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    format!("{prefix}-{}", name.collect::<String>())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> + Clone {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

/// Returns the operations of a group: path, method, and what is told.
fn operations<'d>(document: &'d Value, tag: &str) -> Vec<(&'d str, &'static str, &'d Value)> {
    let all = members(&document["paths"])
        .flat_map(|(path, item)| METHODS.into_iter().filter_map(move |method| Some((path, method, item.get(method)?))));
    all.filter(|(_, _, operation)| operation["tags"][0] == tag).collect()
}
