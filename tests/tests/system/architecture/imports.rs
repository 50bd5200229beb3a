//! Which file of a crate uses names that another one defines, read from the source with syn.
//!
//! A re-export is followed to the file that defines the name, and is not a use by itself: a
//! `mod.rs` that only re-exports its children depends on none of them. Code under `#[cfg(test)]`
//! does not count.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, UseTree, Visibility,
    visit::{self, Visit},
};

/// For each file of a crate, the files whose names it uses.
pub(super) type Imports = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// Reads the crate whose root is `root`, such as `src/lib.rs`.
pub(super) fn read_crate(root: &Path) -> Imports {
    let mut modules = Modules::default();
    let items = parse(root);
    let top = modules.add(root, None);
    modules.fill(top, items, root);
    modules.imports()
}

/// Groups of files that use each other, directly or around a corner; each group once.
pub(super) fn circles(imports: &Imports) -> Vec<BTreeSet<PathBuf>> {
    let reach: HashMap<&PathBuf, BTreeSet<&PathBuf>> = imports
        .keys()
        .map(|file| (file, reachable(imports, file)))
        .collect();
    let mut found = BTreeSet::new();
    for (file, others) in &reach {
        let circle: BTreeSet<PathBuf> = others
            .iter()
            .filter(|other| reach.get(*other).is_some_and(|back| back.contains(file)))
            .map(|other| (*other).clone())
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn reachable<'a>(imports: &'a Imports, from: &'a PathBuf) -> BTreeSet<&'a PathBuf> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for next in imports.get(file).into_iter().flatten() {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen
}

fn parse(file: &Path) -> Vec<Item> {
    let text = fs::read_to_string(file).unwrap();
    syn::parse_file(&text)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        .items
}

/// Whether an item is compiled for tests alone: under `cfg(test)`, or `cfg(all(test, …))`.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Ok(list) = attribute.meta.require_list() else {
            return false;
        };
        let condition = list.tokens.to_string().replace(' ', "");
        attribute.path().is_ident("cfg")
            && (condition == "test" || condition.starts_with("all(test,"))
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// One module: a file, or a `mod name { … }` inside one.
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: HashMap<String, usize>,
    defined: BTreeSet<String>,
    /// Local name → the path it stands for.
    aliases: HashMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Every path that the code of this module names.
    used: BTreeSet<Vec<String>>,
}

#[derive(Default)]
struct Modules(Vec<Module>);

/// What a path leads to inside the crate.
enum Target {
    Module(usize),
    DefinedIn(PathBuf),
}

impl Modules {
    fn add(&mut self, file: &Path, parent: Option<usize>) -> usize {
        self.0.push(Module {
            file: file.to_owned(),
            parent,
            children: HashMap::new(),
            defined: BTreeSet::new(),
            aliases: HashMap::new(),
            globs: Vec::new(),
            used: BTreeSet::new(),
        });
        self.0.len() - 1
    }

    /// Takes the items of a module; `folder_of` is the file whose folder holds its children.
    fn fill(&mut self, module: usize, items: Vec<Item>, file: &Path) {
        for item in items {
            if is_test(attributes(&item)) {
                continue;
            }
            match item {
                Item::Mod(child) => self.child(module, child, file),
                Item::Use(item) => {
                    let public = !matches!(item.vis, Visibility::Inherited);
                    self.import(module, &item.tree, &mut Vec::new(), public);
                }
                item => {
                    self.define(module, &item);
                    let mut paths = Paths(&mut self.0[module].used);
                    paths.visit_item(&item);
                }
            }
        }
    }

    fn child(&mut self, module: usize, child: syn::ItemMod, file: &Path) {
        let name = child.ident.to_string();
        if let Some((_, items)) = child.content {
            let inner = self.add(file, Some(module));
            self.0[module].children.insert(name, inner);
            self.fill(inner, items, file);
            return;
        }
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let folder = match stem {
            "lib" | "main" | "mod" => file.parent().unwrap().to_owned(),
            stem => file.parent().unwrap().join(stem),
        };
        let path = [
            folder.join(format!("{name}.rs")),
            folder.join(&name).join("mod.rs"),
        ]
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{}: mod {name} has no file", file.display()));
        let inner = self.add(&path, Some(module));
        self.0[module].children.insert(name, inner);
        let items = parse(&path);
        self.fill(inner, items, &path);
    }

    fn define(&mut self, module: usize, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            _ => return,
        };
        self.0[module].defined.insert(name.to_string());
    }

    fn import(&mut self, module: usize, tree: &UseTree, prefix: &mut Vec<String>, public: bool) {
        let name = |this: &mut Self, local: String, mut path: Vec<String>| {
            if path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let module = &mut this.0[module];
            if !public {
                module.used.insert(path.clone());
            }
            // A name like `Vec` from `std` leads nowhere and is dropped on the way.
            module.aliases.insert(local, path);
        };
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.import(module, &path.tree, prefix, public);
                prefix.pop();
            }
            UseTree::Name(leaf) => {
                let mut path = prefix.clone();
                path.push(leaf.ident.to_string());
                let local = match path.last().map(String::as_str) {
                    Some("self") => prefix.last().cloned().unwrap_or_default(),
                    _ => leaf.ident.to_string(),
                };
                name(self, local, path);
            }
            UseTree::Rename(leaf) => {
                let mut path = prefix.clone();
                path.push(leaf.ident.to_string());
                name(self, leaf.rename.to_string(), path);
            }
            UseTree::Glob(_) => self.0[module].globs.push(prefix.clone()),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(module, tree, prefix, public);
                }
            }
        }
    }

    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (index, module) in self.0.iter().enumerate() {
            let uses = imports.entry(module.file.clone()).or_default();
            for path in &module.used {
                let target = match self.resolve(index, path, 0) {
                    Some(Target::DefinedIn(file)) => file,
                    // A module that is named and not entered: what is taken from it stands in
                    // another path.
                    Some(Target::Module(_)) | None => continue,
                };
                if target != module.file {
                    uses.insert(target);
                }
            }
        }
        imports
    }

    /// Follows a path from a module; none where it leads out of the crate.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        // Globs of two modules may name each other.
        if depth > 16 {
            return None;
        }
        let (mut module, mut rest) = match path.first()?.as_str() {
            "crate" => (0, &path[1..]),
            "self" => (from, &path[1..]),
            "super" => (self.0[from].parent?, &path[1..]),
            _ => return self.lookup(from, path, depth),
        };
        while rest.first().is_some_and(|segment| segment == "super") {
            module = self.0[module].parent?;
            rest = &rest[1..];
        }
        if rest.is_empty() {
            return Some(Target::Module(module));
        }
        self.lookup(module, rest, depth)
    }

    fn lookup(&self, module: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let here = &self.0[module];
        if here.defined.contains(first) {
            return Some(Target::DefinedIn(here.file.clone()));
        }
        let found = here
            .children
            .get(first)
            .map(|child| Target::Module(*child))
            .or_else(|| {
                let alias = here.aliases.get(first)?;
                // `use serde::Serialize` under the name `serde` must not ask itself for ever.
                if alias.first() == Some(first) {
                    return None;
                }
                self.resolve(module, alias, depth + 1)
            })
            .or_else(|| {
                here.globs
                    .iter()
                    .filter(|glob| glob.first() != Some(first))
                    .find_map(|glob| match self.resolve(module, glob, depth + 1)? {
                        Target::Module(other) if other != module => {
                            self.lookup(other, std::slice::from_ref(first), depth + 1)
                        }
                        other => Some(other),
                    })
            })?;
        match found {
            Target::Module(next) if !rest.is_empty() => self.lookup(next, rest, depth + 1),
            found => Some(found),
        }
    }
}

/// Collects the paths of an item's code, inside macros too.
struct Paths<'a>(&'a mut BTreeSet<Vec<String>>);

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|one| one.ident.to_string());
        self.0.insert(segments.collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.scan(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }
}

impl Paths<'_> {
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 && !path.is_empty() {
                        self.0.insert(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    if !path.is_empty() {
                        self.0.insert(std::mem::take(&mut path));
                    }
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        if !path.is_empty() {
            self.0.insert(path);
        }
    }
}
