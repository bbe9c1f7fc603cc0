; Items of one level: run with a start depth of one over a file, a module's, a trait's or an impl's body.
; Imports are not read here: see rust_scan.py.
[(function_item) (function_signature_item)] @function
[(struct_item) (union_item)] @class
(enum_item) @enum
(trait_item) @interface
[(type_item) (associated_type)] @type_alias
[(const_item) (static_item)] @constant
(mod_item) @module
(macro_definition) @macro
(impl_item) @impl
(foreign_mod_item) @foreign
(use_declaration) @use
(macro_invocation) @call
(expression_statement (macro_invocation) @call)
