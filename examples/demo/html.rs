//! The few pages that the demo's own client shows.

/// Text as it may stand in HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    escaped
}

/// A whole page; `content` is HTML.
pub fn page(title: &str, content: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <link rel=\"icon\" href=\"data:,\"><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;\
         padding:0 1rem;color-scheme:light dark;overflow-wrap:anywhere}}pre{{white-space:pre-wrap;padding:.75rem;\
         border:1px solid #8886;border-radius:.5rem}}dt{{font-weight:600}}dd{{margin:0 0 .5rem}}</style></head>\n\
         <body><h1>{title}</h1>\n{content}\n</body></html>\n"
    )
}

/// A list of names and values, each value findable by its name.
pub fn facts(facts: &[(String, String)]) -> String {
    let entry = |(name, value): &(String, String)| {
        let (name, value) = (escape(name), escape(value));
        format!("<dt>{name}</dt><dd><code id=\"{name}\">{value}</code></dd>\n")
    };
    format!("<dl>\n{}</dl>", facts.iter().map(entry).collect::<String>())
}
