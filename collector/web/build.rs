//! Pages that are built anew are embedded anew.

fn main() {
    // Cargo takes a folder that is missing for one that changed, and would build this crate every time.
    let made = std::fs::create_dir_all("dist");
    if let Err(error) = made {
        println!("cargo:warning=collector/web/dist cannot be made: {error}");
    }
    println!("cargo:rerun-if-changed=dist");
}
