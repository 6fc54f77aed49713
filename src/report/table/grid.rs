//! Rows and columns, aligned or as Markdown.

/// Between two columns.
const GAP: usize = 2;
/// A first column is not cut below this.
const LEAST_NAME: usize = 12;

#[derive(Clone, Debug)]
pub(super) struct Column {
    title: String,
    right: bool,
}

impl Column {
    pub(super) fn left(title: &str) -> Column {
        Column { title: title.into(), right: false }
    }

    pub(super) fn right(title: &str) -> Column {
        Column { title: title.into(), right: true }
    }
}

/// A table whose first column gives way when there is too little room.
pub(super) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    /// Rows above which human text has a line.
    rules: Vec<usize>,
}

impl Grid {
    pub(super) fn new(columns: impl IntoIterator<Item = Column>) -> Grid {
        Grid { columns: columns.into_iter().collect(), rows: vec![], rules: vec![] }
    }

    pub(super) fn columns(&mut self, more: impl IntoIterator<Item = Column>) {
        self.columns.extend(more);
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    pub(super) fn rows(&mut self, rows: impl IntoIterator<Item = Vec<String>>) {
        for row in rows {
            self.row(row);
        }
    }

    pub(super) fn rule(&mut self) {
        self.rules.push(self.rows.len());
    }

    pub(super) fn human(&self, width: usize, text: &mut String) {
        let mut widths: Vec<usize> = self.columns.iter().map(|c| c.title.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let others: usize = widths.iter().skip(1).map(|w| w + GAP).sum();
        if let Some(name) = widths.first_mut() {
            *name = (*name).min(width.saturating_sub(others).max(LEAST_NAME));
        }
        let titles: Vec<String> = self.columns.iter().map(|c| c.title.clone()).collect();
        self.line(&titles, &widths, text);
        for (i, row) in self.rows.iter().enumerate() {
            if self.rules.contains(&i) {
                text.push_str(&"-".repeat(widths.iter().sum::<usize>() + GAP * (widths.len() - 1)));
                text.push('\n');
            }
            self.line(row, &widths, text);
        }
    }

    fn line(&self, cells: &[String], widths: &[usize], text: &mut String) {
        let mut line = String::new();
        for ((cell, column), &width) in cells.iter().zip(&self.columns).zip(widths) {
            let cell = shortened(cell, width);
            let padding = " ".repeat(width - cell.chars().count());
            line.push_str(if column.right { &padding } else { &cell });
            line.push_str(if column.right { &cell } else { &padding });
            line.push_str(&" ".repeat(GAP));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }

    pub(super) fn markdown(&self, text: &mut String) {
        let titles = self.columns.iter().map(|c| c.title.as_str());
        let lines = self.columns.iter().map(|c| if c.right { "---:" } else { "---" });
        let mut row = |cells: Vec<String>| text.push_str(&format!("| {} |\n", cells.join(" | ")));
        row(titles.map(escape_markdown).collect());
        row(lines.map(str::to_owned).collect());
        for cells in &self.rows {
            row(cells.iter().map(|cell| escape_markdown(cell.trim_start())).collect());
        }
    }
}

/// Cut in the middle, where names of one family differ least.
fn shortened(cell: &str, width: usize) -> String {
    let length = cell.chars().count();
    if length <= width || width == 0 {
        return cell.chars().take(width).collect();
    }
    let (head, tail) = ((width - 1).div_ceil(2), (width - 1) / 2);
    let start = cell.chars().take(head);
    start.chain(['…']).chain(cell.chars().skip(length - tail)).collect()
}

/// Without characters that a terminal obeys.
pub(super) fn printable(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// As text, not as markup.
pub(super) fn escape_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        if matches!(c, '|' | '\\' | '*' | '<' | '[') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Writes `item` in lines of at most [`super::WIDTH`] columns; the first is indented by `indent`, the others deeper.
pub(super) fn wrap(item: &str, indent: &str, text: &mut String) {
    let item = printable(item);
    let hanging = if indent.is_empty() { String::new() } else { format!("{indent}  ") };
    let mut line = indent.to_owned();
    let mut started = false;
    for word in item.split(' ') {
        let needed = line.chars().count() + usize::from(started) + word.chars().count();
        if started && needed > super::WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.clone_from(&hanging);
            started = false;
        }
        if started {
            line.push(' ');
        }
        line.push_str(&shortened(word, super::WIDTH - hanging.len()));
        started = true;
    }
    text.push_str(&line);
    text.push('\n');
}
