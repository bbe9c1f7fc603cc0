//! The macros of the standard library, as far as paths in their arguments go; rust-analyzer is given nothing else of it.
#![no_core]
#![feature(rustc_attrs, no_core, decl_macro)]

pub mod prelude {
    pub mod v1 {}
    pub mod rust_2015 {}
    pub mod rust_2018 {}
    pub mod rust_2021 {}
    pub mod rust_2024 {}
}

#[rustc_builtin_macro]
#[macro_export]
macro_rules! include { ($file:expr $(,)?) => {{}}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! include_str { ($file:expr $(,)?) => {{}}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! include_bytes { ($file:expr $(,)?) => {{}}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! concat { ($($e:expr),* $(,)?) => {{}}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! env { ($name:expr $(,)?) => {{}}; ($name:expr, $error:expr $(,)?) => {{}}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! option_env { ($name:expr $(,)?) => {{}}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! stringify { ($($t:tt)*) => {}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! cfg { ($($cfg:tt)*) => {}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! compile_error { ($msg:expr $(,)?) => {{}}; }
#[rustc_builtin_macro]
#[macro_export]
macro_rules! format_args { ($fmt:expr) => {{}}; ($fmt:expr, $($args:tt)*) => {{}}; }

#[macro_export]
macro_rules! print { ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! println { () => {}; ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! eprint { ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! eprintln { () => {}; ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! format { ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! panic { () => {}; ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! todo { () => {}; ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! unreachable { () => {}; ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! unimplemented { () => {}; ($($t:tt)*) => { $crate::format_args!($($t)*) }; }
#[macro_export]
macro_rules! write { ($to:expr, $($t:tt)*) => { ($to, $crate::format_args!($($t)*)) }; }
#[macro_export]
macro_rules! writeln {
    ($to:expr $(,)?) => { $to };
    ($to:expr, $($t:tt)*) => { ($to, $crate::format_args!($($t)*)) };
}

#[macro_export]
macro_rules! assert {
    ($e:expr $(,)?) => { $e };
    ($e:expr, $($t:tt)+) => { ($e, $crate::format_args!($($t)+)) };
}
#[macro_export]
macro_rules! debug_assert {
    ($e:expr $(,)?) => { $e };
    ($e:expr, $($t:tt)+) => { ($e, $crate::format_args!($($t)+)) };
}
#[macro_export]
macro_rules! assert_eq {
    ($a:expr, $b:expr $(,)?) => { ($a, $b) };
    ($a:expr, $b:expr, $($t:tt)+) => { ($a, $b, $crate::format_args!($($t)+)) };
}
#[macro_export]
macro_rules! assert_ne {
    ($a:expr, $b:expr $(,)?) => { ($a, $b) };
    ($a:expr, $b:expr, $($t:tt)+) => { ($a, $b, $crate::format_args!($($t)+)) };
}
#[macro_export]
macro_rules! debug_assert_eq { ($($t:tt)*) => { $crate::assert_eq!($($t)*) }; }
#[macro_export]
macro_rules! debug_assert_ne { ($($t:tt)*) => { $crate::assert_ne!($($t)*) }; }

#[macro_export]
macro_rules! vec {
    () => {};
    ($e:expr; $n:expr) => { ($e, $n) };
    ($($e:expr),+ $(,)?) => { ($($e),+) };
}
#[macro_export]
macro_rules! matches {
    ($e:expr, $p:pat $(if $guard:expr)? $(,)?) => { match $e { $p $(if $guard)? => true, _ => false } };
}
#[macro_export]
macro_rules! dbg { ($($e:expr),* $(,)?) => { ($($e),*) }; }
#[macro_export]
macro_rules! r#try { ($e:expr $(,)?) => { $e }; }
#[macro_export]
macro_rules! thread_local {
    () => {};
    ($(#[$a:meta])* $v:vis static $n:ident: $t:ty = const $i:block; $($rest:tt)*) => {
        $v static $n: $t = $i; $crate::thread_local!($($rest)*);
    };
    ($(#[$a:meta])* $v:vis static $n:ident: $t:ty = const $i:block) => { $v static $n: $t = $i; };
    ($(#[$a:meta])* $v:vis static $n:ident: $t:ty = $i:expr; $($rest:tt)*) => {
        $v static $n: $t = $i; $crate::thread_local!($($rest)*);
    };
    ($(#[$a:meta])* $v:vis static $n:ident: $t:ty = $i:expr) => { $v static $n: $t = $i; };
}
