; Run only over trees with errors: where statements may stand outside their places, and what was not understood.
; The same for the typescript, tsx and javascript grammars.
(import_statement) @import
(export_statement source: (_)) @import
(ERROR) @error
(MISSING) @error
