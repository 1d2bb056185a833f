use super::*;

impl Disk for SimDisk {
    fn make_folder(&self, path: &Path, attributes: &Attributes) -> Result<(), DiskError> {
        let names = BTreeMap::new();
        let content = Content::Folder { names: names.clone(), durable: names };
        self.change("make_folder", path)?.add("make_folder", path, content, attributes)
    }

    fn write_file(
        &self,
        path: &Path,
        bytes: &[u8],
        attributes: &Attributes,
    ) -> Result<(), DiskError> {
        let content = Content::File { bytes: bytes.to_vec(), durable: None };
        self.change("write_file", path)?.add("write_file", path, content, attributes)
    }

    fn make_link(&self, path: &Path, target: &[u8]) -> Result<(), DiskError> {
        let attributes = Attributes { mode: 0o777, uid: None, gid: None, mtime: None };
        let content = Content::Link(target.to_vec());
        self.change("make_link", path)?.add("make_link", path, content, &attributes)
    }

    fn share(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let mut state = self.change("share", to)?;
        let missing = || failed("share", to, io::ErrorKind::NotFound);
        let id = state.find(from).ok_or_else(missing)?;
        let (folder, name) = state.place(to).ok_or_else(missing)?;
        state.step(vec![(folder, name, Some(id))]);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let mut state = match self.change("rename", to) {
            Err(_) if self.state().is_unheard() => return Ok(()),
            changed => changed?,
        };
        let missing = || failed("rename", to, io::ErrorKind::NotFound);
        let id = state.find(from).ok_or_else(missing)?;
        let ((f1, n1), (f2, n2)) =
            (state.place(from).ok_or_else(missing)?, state.place(to).ok_or_else(missing)?);
        state.step(vec![(f1, n1, None), (f2, n2, Some(id))]);
        Ok(())
    }

    fn exchange(&self, a: &Path, b: &Path) -> Result<(), DiskError> {
        let mut state = match self.change("exchange", b) {
            Err(_) if self.state().is_unheard() => return Ok(()),
            changed => changed?,
        };
        let missing = || failed("exchange", b, io::ErrorKind::NotFound);
        let (i1, i2) = (state.find(a).ok_or_else(missing)?, state.find(b).ok_or_else(missing)?);
        let ((f1, n1), (f2, n2)) =
            (state.place(a).ok_or_else(missing)?, state.place(b).ok_or_else(missing)?);
        state.step(vec![(f1, n1, Some(i2)), (f2, n2, Some(i1))]);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        self.change("remove_file", path)?.remove("remove_file", path)
    }

    fn remove_folder(&self, path: &Path) -> Result<(), DiskError> {
        self.change("remove_folder", path)?.remove("remove_folder", path)
    }

    fn set_attributes(&self, path: &Path, attributes: &Attributes) -> Result<(), DiskError> {
        let mut state = self.change("set_attributes", path)?;
        let id = state.find(path);
        if let Some(inode) = id.and_then(|id| state.inodes.get_mut(&id)) {
            inode.mode = attributes.mode;
        }
        if let Some((folder, name)) = state.place(path) {
            state.tell(folder, name);
        }
        Ok(())
    }

    fn sync_file(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.change("sync_file", path)?;
        let id =
            state.find(path).ok_or_else(|| failed("sync_file", path, io::ErrorKind::NotFound))?;
        if !state.gets_wrong("sync_file", PutOff::Bytes(id)) {
            state.sync_bytes(id);
        }
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.change("sync_folder", path)?;
        let missing = || failed("sync_folder", path, io::ErrorKind::NotFound);
        let id = state.find(path).ok_or_else(missing)?;
        if !state.gets_wrong("sync_folder", PutOff::Names(id)) {
            state.sync(id);
        }
        Ok(())
    }

    fn sync_volume(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.change("sync_volume", path)?;
        if !state.gets_wrong("sync_volume", PutOff::Volume) {
            state.sync_all();
        }
        Ok(())
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>, DiskError> {
        let state = self.state();
        Ok(state.find(path).map(|id| stat_of(id, &state.inodes[&id])))
    }

    fn list(&self, path: &Path) -> Result<Vec<(OsString, Stat)>, DiskError> {
        let state = self.state();
        let missing = || failed("list", path, io::ErrorKind::NotFound);
        let id = state.find(path).ok_or_else(missing)?;
        let Content::Folder { names, .. } = &state.inodes[&id].content else {
            return Err(failed("list", path, io::ErrorKind::NotADirectory));
        };
        Ok(names.iter().map(|(name, id)| (name.clone(), stat_of(*id, &state.inodes[id]))).collect())
    }

    fn read(&self, path: &Path, _: u64) -> Result<Vec<u8>, DiskError> {
        let state = self.state();
        let found = state.find(path).map(|id| &state.inodes[&id].content);
        match found {
            Some(Content::File { bytes, .. }) => Ok(bytes.clone()),
            _ => Err(failed("read", path, io::ErrorKind::NotFound)),
        }
    }

    fn read_link(&self, path: &Path) -> Result<Vec<u8>, DiskError> {
        let state = self.state();
        match state.find(path).map(|id| &state.inodes[&id].content) {
            Some(Content::Link(target)) => Ok(target.clone()),
            _ => Err(failed("read_link", path, io::ErrorKind::InvalidInput)),
        }
    }

    fn now(&self) -> i128 {
        self.state().clock
    }

    fn watch(&self, folder: &Path) -> Option<WatchId> {
        let mut state = self.state();
        let id = state.find(folder)?;
        state.watched.insert(id);
        i32::try_from(id).ok().map(WatchId)
    }

    fn unwatch(&self, watch: WatchId) {
        self.state().watched.remove(&u64::try_from(watch.0).unwrap());
    }

    fn told(&self) -> Vec<Tell> {
        std::mem::take(&mut self.state().told)
    }
}
