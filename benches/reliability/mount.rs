//! Small file systems for a trial: ext4 on a loop device, and memory.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    cleanup::{self, Kept},
};

/// The kind of a small file system.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// 24 MB.
    FewBytes,
    /// 24 MB, and 512 files.
    FewInodes,
    /// 24 MB of memory, and 512 files.
    Memory,
}

/// A mounted file system, unmounted with the trial.
pub struct Mount {
    pub at: PathBuf,
}

impl Mount {
    /// Mounts a file system. `None` if this machine does not allow it.
    pub fn new(kind: Kind, image: &Path, at: &Path) -> Result<Option<Self>> {
        fs::create_dir_all(at)?;
        let mut mount = Command::new("mount");
        match kind {
            Kind::Memory => mount.args(["-t", "tmpfs", "-o", "size=24m,nr_inodes=512", "none"]),
            Kind::FewBytes | Kind::FewInodes => {
                File::create(image)?.set_len(24 << 20)?;
                let mut make = Command::new("/sbin/mkfs.ext4");
                make.args(["-q", "-m", "0"]);
                if matches!(kind, Kind::FewInodes) {
                    make.args(["-N", "512"]);
                }
                if !works(make.arg(image)) {
                    return Ok(None);
                }
                mount.args(["-o", "loop"]).arg(image)
            }
        };
        if !works(mount.arg(at)) {
            return Ok(None);
        }
        cleanup::keep(Kept::Mount(at.to_owned()));
        Ok(Some(Self { at: at.to_owned() }))
    }

    /// Uses up the space, to the last block.
    pub fn fill_bytes(&self) -> Result<()> {
        let mut file = File::create(self.at.join("_fill"))?;
        for size in [1 << 20, 4096] {
            while file.write_all(&vec![b'x'; size]).and_then(|()| file.sync_data()).is_ok() {}
        }
        Ok(())
    }

    /// Uses up the files.
    pub fn fill_inodes(&self) -> Result<()> {
        fs::create_dir(self.at.join("_files"))?;
        for n in 0.. {
            if File::create(self.at.join(format!("_files/{n}"))).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Makes room again.
    pub fn free(&self) -> Result<()> {
        let (file, folder) = (self.at.join("_fill"), self.at.join("_files"));
        if file.exists() {
            fs::remove_file(file)?;
        }
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        cleanup::end(&Kept::Mount(self.at.clone()));
    }
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
