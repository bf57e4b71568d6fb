//! `/docs`: the document for users, as one page that needs nothing but its style.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    description::Description,
    html::Html,
    shape::{properties, referred, say},
};

/// Returns the page for a document.
pub(super) fn page(document: &Value, description: &Description) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"data:,\">");
    html.raw("");
    html.raw(&format!("<link rel=\"stylesheet\" href=\"{}\">", description.style));
    html.of("title", format_args!("{} API", description.title));
    html.raw("</head><body>");
    html.element("header", |html| {
        html.of("h1", format_args!("{} API", description.title));
        let version = document["info"]["version"].as_str().unwrap_or_default();
        html.element("p", |html| {
            html.text(format_args!("Version {version}, described by "));
            html.raw(&format!("<a href=\"{}\">openapi.json</a>", description.document));
            html.text(" (OpenAPI 3.1). Errors are ");
            html.link("schema-Error", "Error");
            html.text(". With a key configured, send it as ");
            html.of("code", "Authorization: Bearer …");
            html.text(".");
        });
    });
    html.element("nav aria-label=\"Operations\"", |html| {
        for (tag, operations) in by_tag(document, description) {
            html.element("details open", |html| {
                html.of("summary", tag);
                html.element("ul", |html| operations.iter().for_each(|operation| operation.entry(html)));
            });
        }
        html.element("p", |html| html.link("schemas", "Schemas"));
    });
    html.element("main", |html| {
        for (tag, operations) in by_tag(document, description) {
            html.of("h2", tag);
            for operation in operations {
                operation.section(html);
            }
        }
        html.of("h2 id=\"schemas\"", "Schemas");
        let all = &document["components"]["schemas"];
        for (name, schema) in all.as_object().into_iter().flatten() {
            described(html, name, schema, all);
        }
    });
    html.raw("</body></html>\n");
    html.finish()
}

/// An operation of the document.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    told: &'a Value,
    document: &'a Value,
    /// The URL at which the example calls it.
    server: &'static str,
}

fn by_tag<'a>(document: &'a Value, description: &Description) -> Vec<(&'a str, Vec<Operation<'a>>)> {
    let tags = document["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["name"].as_str());
    let mut all: Vec<(&str, Vec<Operation<'_>>)> = tags.map(|tag| (tag, Vec::new())).collect();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, told) in item.as_object().into_iter().flatten() {
            if let Some((_, of)) = all.iter_mut().find(|(tag, _)| told["tags"][0] == *tag) {
                of.push(Operation { method, path, told, document, server: description.example });
            }
        }
    }
    all
}

impl Operation<'_> {
    fn id(&self) -> &str {
        self.told["operationId"].as_str().unwrap_or_default()
    }

    fn name(&self, html: &mut Html) {
        html.of(&format!("span class=\"method {}\"", self.method), self.method.to_ascii_uppercase());
        html.text(" ");
        html.element("code", |html| html.path(self.path));
    }

    fn entry(&self, html: &mut Html) {
        html.element("li", |html| {
            html.element(&format!("a href=\"#{}\"", self.id()), |html| self.name(html));
        });
    }

    fn section(&self, html: &mut Html) {
        html.element(&format!("section id=\"{}\"", self.id()), |html| {
            html.element("h3", |html| {
                html.element(&format!("a href=\"#{}\"", self.id()), |html| self.name(html));
            });
            html.element("p class=\"summary\"", |html| {
                html.prose(self.told["summary"].as_str().unwrap_or_default());
            });
            if let Some(more) = self.told["description"].as_str() {
                html.element("p", |html| html.prose(more));
            }
            match self.told["x-scope"].as_str() {
                Some(scope) => html.element("p class=\"scope\"", |html| {
                    html.text("Once keys are configured: a key of scope ");
                    html.of("code", scope);
                    html.text(".");
                }),
                None => html.of("p class=\"scope\"", "Needs no key."),
            }
            self.parameters(html);
            self.body(html);
            self.answers(html);
            html.element("pre", |html| html.of("code", self.example()));
        });
    }

    fn parameters(&self, html: &mut Html) {
        let all = self.told["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if all.is_empty() {
            return;
        }
        table(html, &["Parameter", "In", "Type", "What it is"], |html| {
            for parameter in all {
                html.element("tr", |html| {
                    let required = parameter["required"] == true;
                    named(html, parameter["name"].as_str().unwrap_or_default(), required);
                    html.of("td", parameter["in"].as_str().unwrap_or_default());
                    html.element("td", |html| say(html, &parameter["schema"]));
                    html.element("td", |html| {
                        html.prose(parameter["description"].as_str().unwrap_or_default());
                    });
                });
            }
        });
    }

    fn body(&self, html: &mut Html) {
        let schema = &self.told["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            html.element("p", |html| {
                html.text(if self.told["requestBody"]["required"] == true {
                    "Body: "
                } else {
                    "Body, or none: "
                });
                say(html, schema);
                html.text(", as ");
                html.of("code", "application/json");
            });
        }
    }

    fn answers(&self, html: &mut Html) {
        table(html, &["Status", "Body", "When"], |html| {
            for (status, answer) in self.told["responses"].as_object().into_iter().flatten() {
                let answer = match answer["$ref"].as_str().and_then(|to| to.strip_prefix('#')) {
                    Some(to) => self.document.pointer(to).unwrap_or(answer),
                    None => answer,
                };
                html.element("tr", |html| {
                    html.element("td", |html| html.of("code", status));
                    html.element("td", |html| {
                        for (n, (media, content)) in
                            answer["content"].as_object().into_iter().flatten().enumerate()
                        {
                            if n > 0 {
                                html.text(" or ");
                            }
                            sent(html, media, content);
                        }
                    });
                    html.element("td", |html| html.prose(answer["description"].as_str().unwrap_or_default()));
                });
            }
        });
    }

    /// Returns a call that can be pasted into a shell.
    fn example(&self) -> String {
        let parameters = self.told["parameters"].as_array().into_iter().flatten();
        let query: Vec<String> = parameters
            .filter(|p| p["in"] == "query" && p["required"] == true)
            .filter_map(|p| Some(format!("{}={}", p["name"].as_str()?, value(&p["schema"]))))
            .collect();
        let path = self.path.replace('{', "<").replace('}', ">");
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let stream = !self.told["responses"]["200"]["content"]["text/event-stream"].is_null();
        // Writing to a `String` cannot fail.
        let mut call = String::from(if stream { "curl -N" } else { "curl" });
        if self.method != "get" {
            call.push_str(" -X ");
            call.push_str(&self.method.to_ascii_uppercase());
        }
        let _ = write!(call, " '{}{path}{query}'", self.server);
        let schema = &self.told["requestBody"]["content"]["application/json"]["schema"];
        if let Some(schema) = referred(schema).map(|name| &self.document["components"]["schemas"][name]) {
            let fields = properties(schema, &self.document["components"]["schemas"]);
            let fields = fields.iter().filter(|(_, _, required)| *required);
            let fields: Vec<String> = fields.map(|(name, _, _)| format!("\"{name}\": \"…\"")).collect();
            let body = fields.join(", ");
            let _ = write!(call, " \\\n  -H 'Content-Type: application/json' \\\n  -d '{{{body}}}'");
        }
        call
    }
}

/// Adds the body of an answer.
fn sent(html: &mut Html, media: &str, content: &Value) {
    match media {
        "application/json" => say(html, &content["schema"]),
        "text/event-stream" => {
            html.text("events of ");
            say(html, &content["x-event-data"]);
        }
        media => html.of("code", media),
    }
}

/// Returns an example value of a parameter.
fn value(schema: &Value) -> String {
    let word = schema["enum"][0].as_str();
    word.map_or_else(|| "…".to_owned(), str::to_owned)
}

fn described(html: &mut Html, name: &str, schema: &Value, all: &Value) {
    html.element(&format!("section id=\"schema-{name}\""), |html| {
        html.element("h3", |html| html.link(&format!("schema-{name}"), name));
        if let Some(about) = schema["description"].as_str() {
            html.element("p", |html| html.prose(about));
        }
        let fields = properties(schema, all);
        if fields.is_empty() {
            return html.element("p", |html| say(html, schema));
        }
        table(html, &["Field", "Type", "What it is"], |html| {
            for (field, schema, required) in fields {
                html.element("tr", |html| {
                    named(html, field, required);
                    html.element("td", |html| say(html, schema));
                    html.element("td", |html| html.prose(schema["description"].as_str().unwrap_or_default()));
                });
            }
        });
    });
}

/// Adds a name, marked if it is optional.
fn named(html: &mut Html, name: &str, required: bool) {
    html.element("td", |html| {
        html.of("code", name);
        if !required {
            html.of("small", " optional");
        }
    });
}

fn table(html: &mut Html, columns: &[&str], rows: impl FnOnce(&mut Html)) {
    html.element("div class=\"table\"", |html| {
        html.element("table", |html| {
            html.element("thead", |html| {
                html.element("tr", |html| columns.iter().for_each(|column| html.of("th", column)));
            });
            html.element("tbody", rows);
        });
    });
}
