//! Arguments, and nothing else.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match &arguments[..] {
        [command, run_dir] if command == "supervise" => {
            overnight::runner::supervise_main(Path::new(run_dir))
        }
        _ => ExitCode::FAILURE,
    }
}
