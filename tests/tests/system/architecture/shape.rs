//! How long the functions and files of the source are, tests aside.

use std::{fs, path::Path};

use syn::{
    ImplItemFn, Item, ItemFn, ItemMod, TraitItemFn,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::imports::is_test;

/// What one file is made of.
#[derive(Default)]
pub(super) struct Shape {
    /// Lines of the file without its inline tests.
    pub(super) lines: usize,
    /// Each function with its lines, from the signature to the closing brace.
    pub(super) functions: Vec<(String, usize)>,
}

/// Reads the shape of a source file.
pub(super) fn read_shape(file: &Path) -> Shape {
    let text = fs::read_to_string(file).unwrap();
    let parsed = syn::parse_file(&text).unwrap();
    let tests: usize = parsed
        .items
        .iter()
        .filter(|item| matches!(item, Item::Mod(module) if is_test(&module.attrs)))
        .map(lines_of)
        .sum();
    let mut shape = Shape {
        lines: text.lines().count() - tests,
        functions: Vec::new(),
    };
    shape.visit_file(&parsed);
    shape
}

fn lines_of(node: &impl Spanned) -> usize {
    let span = node.span();
    span.end().line - span.start().line + 1
}

impl Shape {
    fn function(&mut self, name: &syn::Ident, from: &impl Spanned, to: &impl Spanned) {
        let lines = to.span().end().line - from.span().start().line + 1;
        self.functions.push((name.to_string(), lines));
    }
}

impl<'ast> Visit<'ast> for Shape {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.function(&function.sig.ident, &function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.function(&function.sig.ident, &function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            self.function(&function.sig.ident, &function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
