//! Arguments in, exit status out; everything else is [`overnight::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    overnight::cli::main()
}
