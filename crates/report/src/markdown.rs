//! A report as Markdown; its plots are files beside it.

use super::document::{Block, Document, Table};

/// The whole report. `plots` is the folder of the plots as the text names it; none leaves them out.
pub(super) fn markdown(document: &Document, plots: Option<&str>) -> String {
    let mut out = format!("# {}\n", line(&document.title));
    out.push_str(&list(&document.lead));
    for section in &document.sections {
        out.push_str(&format!("\n## {}\n", section.title));
        for block in &section.blocks {
            match block {
                Block::Text(text) => out.push_str(&format!("\n{}\n", line(text))),
                Block::List(items) => out.push_str(&list(items)),
                Block::Code(text) => out.push_str(&format!("\n```sh\n{text}\n```\n")),
                Block::Table(own) => out.push_str(&table(own)),
                Block::Plots(all) => {
                    for plot in all {
                        if let Some(folder) = plots {
                            let (name, caption) = (&plot.name, line(&plot.caption));
                            out.push_str(&format!("\n![{caption}]({folder}/{name}.svg)\n"));
                        }
                        out.push_str(&format!("\n{}\n", line(&plot.caption)));
                    }
                }
            }
        }
    }
    out
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| format!("- {}\n", line(item)))
        .collect();
    format!("\n{}", items.concat())
}

fn table(table: &Table) -> String {
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell_text(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: Vec<String> = (0..table.header.len())
        .map(|column| if column < table.left { "---" } else { "--:" }.to_owned())
        .collect();
    let rows: String = table.rows.iter().map(|cells| row(cells)).collect();
    format!(
        "\n{}\n\n{}|{}|\n{rows}",
        line(&table.caption),
        row(&table.header),
        rule.join("|")
    )
}

fn cell_text(text: &str) -> String {
    line(text).replace('|', "\\|")
}

/// One line of text, whose marks mean nothing: names and texts come from data.
fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '*' | '_' | '`' | '[' | ']' | '<' | '#' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
