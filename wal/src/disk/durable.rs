//! The few sequences that make a change of the file system durable, each in one place.
//!
//! ```text
//!  publish      sync the bytes -> rename -> sync the folder that gained the name -> sync the folder that lost it
//!  replace      remove a leftover -> create -> write -> publish
//!  create_dirs  for each folder from the root down: create it -> sync the folder that holds its name, or take it back
//!  remove       unlink -> sync the folder
//! ```
//!
//! A call that returned `Ok` cannot be undone by a power cut; one that was cut off or failed leaves the old state or
//! the new one under the target's name, never a mixture. Every function may be called again after a failure *of the
//! process*; after a failed sync the caller must stop instead (see [`real`](super::real)).
//!
//! Nothing here decides what is published, and nothing here retries.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path};

use super::Disk;
use crate::seeded::{Bug, is_seeded};

/// Gives a completely written file its name, replacing what had the name before.
///
/// NOTE: keep the handle that wrote `tmp` open until this returns. The kernel remembers a failed background write-back
/// with the inode, and may forget both when nothing holds the file open.
pub fn publish(disk: &dyn Disk, tmp: &Path, target: &Path) -> io::Result<()> {
    if is_seeded(Bug::NameBeforeBytes) {
        disk.rename(tmp, target)?;
        return disk.open_write(target)?.sync_data().and_then(|()| sync_names(disk, tmp, target));
    }
    // IMPORTANT: bytes before name. A rename can reach the disk long before the data, and the name would then stand for
    // an empty or half-written file.
    disk.open_write(tmp)?.sync_data()?;
    disk.rename(tmp, target)?;
    sync_names(disk, tmp, target)
}

/// Makes a rename durable.
fn sync_names(disk: &dyn Disk, from: &Path, to: &Path) -> io::Result<()> {
    let (lost, gained) = (folder_of(from), folder_of(to));
    // IMPORTANT: the folder that gained the name first. A file system may write two folders independently; in the other
    // order there is a moment at which the file is durably gone from the one and not yet durably in the other.
    disk.sync_dir(gained)?;
    if lost != gained {
        disk.sync_dir(lost)?;
    }
    Ok(())
}

/// Replaces the content of `target` by `bytes`, as a whole: a reader finds the old content or the new.
///
/// `tmp` is a name on the same file system that belongs to this call alone; a leftover of an earlier life is removed.
pub fn replace(disk: &dyn Disk, tmp: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    // NOTE: a leftover is removed, not overwritten: it may be a second name of a file that is still needed.
    absent_is_fine(disk.remove_file(tmp))?;
    let file = disk.create(tmp)?;
    file.write_all_at(bytes, 0)?;
    publish(disk, tmp, target)
    // The handle lives until here, for the reason given at `publish`.
}

/// Creates the folders of `relative` below `root`, which exists, and makes them durable.
///
/// `relative` consists of plain names; `..`, `.` and absolute paths are refused.
pub fn create_dirs(disk: &dyn Disk, root: &Path, relative: &Path) -> io::Result<()> {
    let mut folder = root.to_path_buf();
    for component in relative.components() {
        folder.push(plain(component)?);
        create_dir(disk, &folder)?;
    }
    Ok(())
}

/// Creates one folder and makes its name durable; one that exists is fine.
pub fn create_dir(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    disk.create_dir(folder)?;
    // IMPORTANT: also of a folder that was there. A process killed between the creation and this line leaves a folder that
    // the next one finds but that the disk does not hold, with all that is put into it.
    disk.sync_dir(folder_of(folder)).inspect_err(|error| {
        // NOTE: a failed sync may have given the name up for good, and the next one would say "done". Without the folder
        // the next start makes the name anew. One with something in it stays.
        if error.kind() != io::ErrorKind::PermissionDenied {
            disk.remove_dir(folder).ok();
        }
    })
}

fn plain(component: Component<'_>) -> io::Result<&OsStr> {
    match component {
        Component::Normal(name) => Ok(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "a folder to create must be named by plain names")),
    }
}

/// Removes a file for good; one that is not there is fine.
pub fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    absent_is_fine(disk.remove_file(path))?;
    // NOTE: also when the file was not there: an earlier life may have unlinked it and been killed before this line.
    disk.sync_dir(folder_of(path))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The folder that holds the name of `path`.
fn folder_of(path: &Path) -> &Path {
    or_here(path.parent().unwrap_or(path))
}

/// The parent of a bare name is the empty path, which no system call takes.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{CrashMode, EIO, Fault, SimDisk, SimRng};
    use crate::disk::{self, File};

    const SEEDS: u64 = 2000;
    const OLD: &[u8] = b"old";

    /// What a publication may do wrong.
    type Publish = fn(&dyn Disk, &Path, &Path) -> io::Result<()>;

    fn new_content() -> Vec<u8> {
        (1..=3000_u32).map(|number| number.to_le_bytes()[0] | 1).collect()
    }

    /// A disk with the folders `/tmp` and `/data`.
    fn disk_with_folders(seed: u64) -> SimDisk {
        let disk = SimDisk::new(seed);
        create_dirs(&disk, Path::new("/"), Path::new("tmp")).unwrap();
        create_dirs(&disk, Path::new("/"), Path::new("data")).unwrap();
        disk
    }

    fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Box<dyn File> {
        let file = disk.create(path).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    fn crash(disk: &SimDisk, seed: u64) {
        disk.crash(&mut SimRng::new(seed));
    }

    /// The seeds for which a crash after the publication does not leave the new content under the target's name.
    fn seeds_that_lose(tmp: &str, publish: Publish) -> u64 {
        let (tmp, target) = (Path::new(tmp), Path::new("/data/target"));
        let loses = |&seed: &u64| {
            let disk = disk_with_folders(seed);
            write(&disk, tmp, &new_content());
            publish(&disk, tmp, target).unwrap();
            crash(&disk, seed);
            disk::read(&disk, target).ok() != Some(new_content())
        };
        (0..SEEDS).filter(loses).count() as u64
    }

    #[test]
    fn a_published_file_survives_every_crash_with_its_name_and_its_bytes() {
        assert_eq!(seeds_that_lose("/tmp/new", publish), 0);
        assert_eq!(seeds_that_lose("/data/target.new", publish), 0);
    }

    #[test]
    fn publishing_without_syncing_the_bytes_loses_bytes() {
        let lost = seeds_that_lose("/tmp/new", |disk, tmp, target| {
            disk.rename(tmp, target)?;
            sync_names(disk, tmp, target)
        });
        assert!(lost > SEEDS / 2, "{lost}");
    }

    #[test]
    fn publishing_without_syncing_the_folder_loses_the_name() {
        let lost = seeds_that_lose("/tmp/new", |disk, tmp, target| {
            disk.open_write(tmp)?.sync_data()?;
            disk.rename(tmp, target)
        });
        assert!(lost > SEEDS / 4, "{lost}");
    }

    #[test]
    fn publishing_with_a_sync_of_the_wrong_folder_loses_the_name() {
        let lost = seeds_that_lose("/tmp/new", |disk, tmp, target| {
            disk.open_write(tmp)?.sync_data()?;
            disk.rename(tmp, target)?;
            disk.sync_dir(folder_of(tmp))
        });
        assert!(lost > SEEDS / 4, "{lost}");
    }

    /// Whether a file with a durable name in `/tmp` has at least one name at every power cut of its publication.
    fn is_always_somewhere(publish: Publish) -> bool {
        let (tmp, target) = (Path::new("/tmp/new"), Path::new("/data/target"));
        let survives = |(seed, cut): (u64, u64)| {
            let disk = disk_with_folders(seed);
            write(&disk, tmp, &new_content()).sync_data().unwrap();
            disk.sync_dir(Path::new("/tmp")).unwrap();
            // The first or the second sync after the rename.
            disk.cut_power_at(disk.operations() + cut);
            publish(&disk, tmp, target).unwrap_err();
            // The worst outcome: nothing was written that no sync has asked for.
            disk.crash_by(CrashMode::LoseAll, &mut SimRng::new(seed));
            disk.open(tmp).is_ok() || disk.open(target).is_ok()
        };
        (0..4).flat_map(|seed| [3, 4].map(|cut| (seed, cut))).all(survives)
    }

    #[test]
    fn a_file_moved_across_folders_never_loses_both_of_its_names() {
        assert!(is_always_somewhere(publish));
    }

    #[test]
    fn syncing_the_folder_that_lost_the_name_first_can_lose_the_file() {
        assert!(!is_always_somewhere(|disk, tmp, target| {
            disk.open_write(tmp)?.sync_data()?;
            disk.rename(tmp, target)?;
            disk.sync_dir(folder_of(tmp))?;
            disk.sync_dir(folder_of(target))
        }));
    }

    /// Cuts the power at every call of a replacement, for a number of seeds, and returns what was found afterwards.
    fn contents_after_every_power_cut(replace: fn(&dyn Disk, &[u8]) -> io::Result<()>) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for seed in 0..SEEDS {
            let disk = disk_with_folders(seed);
            super::replace(&disk, Path::new("/tmp/new"), Path::new("/data/target"), OLD).unwrap();
            disk.cut_power_at(disk.operations() + 1 + seed % 8);
            let done = replace(&disk, &new_content()).is_ok();
            crash(&disk, seed);
            let content = disk::read(&disk, Path::new("/data/target")).unwrap();
            assert!(!done || content == new_content(), "seed {seed}: {:#?}", disk.trace());
            found.push(content);
        }
        found
    }

    #[test]
    fn a_replaced_file_is_the_old_or_the_new_one_at_every_power_cut() {
        let found = contents_after_every_power_cut(|disk, bytes| {
            replace(disk, Path::new("/tmp/new"), Path::new("/data/target"), bytes)
        });
        let old = found.iter().filter(|content| *content == OLD).count();
        let new = found.iter().filter(|content| **content == new_content()).count();
        assert_eq!(old + new, found.len());
        assert!(old > 100 && new > 100, "old {old}, new {new}");
    }

    #[test]
    fn overwriting_in_place_leaves_a_mixture() {
        let found = contents_after_every_power_cut(|disk, bytes| {
            let file = disk.open_write(Path::new("/data/target"))?;
            file.write_all_at(bytes, 0)?;
            file.sync_data()
        });
        assert!(found.iter().any(|content| content != OLD && *content != new_content()));
    }

    #[test]
    fn replace_leaves_a_second_name_of_its_leftover_alone() {
        let disk = disk_with_folders(0);
        write(&disk, Path::new("/tmp/new"), OLD);
        disk.hard_link(Path::new("/tmp/new"), Path::new("/data/kept")).unwrap();
        replace(&disk, Path::new("/tmp/new"), Path::new("/data/target"), b"new").unwrap();
        assert_eq!(disk::read(&disk, Path::new("/data/kept")).unwrap(), OLD);
        assert_eq!(disk::read(&disk, Path::new("/data/target")).unwrap(), b"new");
    }

    #[test]
    fn created_folders_survive_every_crash() {
        for seed in 0..SEEDS {
            let disk = SimDisk::new(seed);
            create_dirs(&disk, Path::new("/"), Path::new("a/b/c")).unwrap();
            crash(&disk, seed);
            assert_eq!(disk.list(Path::new("/a/b/c")).unwrap(), []);
        }
    }

    #[test]
    fn folders_that_a_killed_process_left_unsynced_are_made_durable_by_the_next() {
        for seed in 0..SEEDS {
            let disk = SimDisk::new(seed);
            disk.create_dir(Path::new("/a")).unwrap();
            disk.create_dir(Path::new("/a/b")).unwrap();
            create_dirs(&disk, Path::new("/"), Path::new("a/b")).unwrap();
            crash(&disk, seed);
            assert_eq!(disk.list(Path::new("/a/b")).unwrap(), []);
        }
    }

    #[test]
    fn a_folder_whose_sync_failed_is_durable_once_it_is_created_again() {
        for seed in 0..SEEDS {
            let disk = SimDisk::new(seed);
            disk.fail_at(disk.operations() + 2, Fault::ErrorOnce(EIO));
            create_dirs(&disk, Path::new("/"), Path::new("a")).unwrap_err();
            create_dirs(&disk, Path::new("/"), Path::new("a")).unwrap();
            crash(&disk, seed);
            assert_eq!(disk.list(Path::new("/a")).unwrap(), []);
        }
    }

    #[test]
    fn leaving_out_the_sync_of_an_ancestor_loses_the_files_below_it() {
        let loses = |&seed: &u64| {
            let disk = SimDisk::new(seed);
            disk.create_dir(Path::new("/a")).unwrap();
            disk.create_dir(Path::new("/a/b")).unwrap();
            disk.sync_dir(Path::new("/a")).unwrap();
            replace(&disk, Path::new("/a/b/new"), Path::new("/a/b/target"), OLD).unwrap();
            crash(&disk, seed);
            disk.open(Path::new("/a/b/target")).is_err()
        };
        assert!((0..SEEDS).filter(loses).count() as u64 > SEEDS / 4);
    }

    #[test]
    fn folders_are_created_by_plain_names_only() {
        let disk = SimDisk::new(0);
        for relative in ["../a", "a/../b", "/a"] {
            let error = create_dirs(&disk, Path::new("/"), Path::new(relative)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{relative}");
        }
    }

    #[test]
    fn the_working_directory_may_be_the_root() {
        let disk = SimDisk::new(0);
        create_dirs(&disk, Path::new(""), Path::new("a")).unwrap();
        replace(&disk, Path::new("new"), Path::new("target"), OLD).unwrap();
        remove(&disk, Path::new("target")).unwrap();
        assert_eq!(disk.list(Path::new("/")).unwrap().len(), 1);
    }

    #[test]
    fn a_removed_file_never_comes_back() {
        let path = Path::new("/data/file");
        for seed in 0..SEEDS {
            let disk = disk_with_folders(seed);
            replace(&disk, Path::new("/tmp/new"), path, OLD).unwrap();
            if seed % 2 == 0 {
                disk.remove_file(path).unwrap(); // by a process that was killed before it could sync the folder
            }
            remove(&disk, path).unwrap();
            crash(&disk, seed);
            assert_eq!(disk.open(path).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn removing_without_syncing_the_folder_brings_the_file_back() {
        let path = Path::new("/data/file");
        let returns = |&seed: &u64| {
            let disk = disk_with_folders(seed);
            replace(&disk, Path::new("/tmp/new"), path, OLD).unwrap();
            disk.remove_file(path).unwrap();
            crash(&disk, seed);
            disk.open(path).is_ok()
        };
        assert!((0..SEEDS).filter(returns).count() as u64 > SEEDS / 4);
    }
}
