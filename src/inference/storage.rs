//! Which blobs share their storage, and where each storage lies in the workspace.

use std::collections::HashMap;

/// Per blob the blob whose storage holds it, and at which of its vectors it starts.
#[derive(Clone, Debug)]
pub(super) struct Sharing {
    holders: Vec<(usize, usize)>,
    /// Per blob that is its own holder: its blocks must lie one behind the other without gaps.
    adjacent: Vec<bool>,
}

impl Sharing {
    /// Every blob has its own storage.
    pub fn new(blobs: usize) -> Self {
        Self { holders: (0..blobs).map(|blob| (blob, 0)).collect(), adjacent: vec![false; blobs] }
    }

    /// The blob whose storage holds `blob`, and where in it `blob` starts.
    pub fn holder(&self, mut blob: usize) -> (usize, usize) {
        let mut start = 0;
        loop {
            let (holder, offset) = self.holders[blob];
            start += offset;
            if holder == blob {
                return (blob, start);
            }
            blob = holder;
        }
    }

    /// Lets `blob`, which has its own storage, use that of `holder`.
    pub fn share(&mut self, blob: usize, holder: usize) {
        self.holders[blob] = self.holder(holder);
    }

    /// Keeps the storage of `blob` from becoming part of a larger one.
    pub fn keep_adjacent(&mut self, blob: usize) {
        let (holder, _) = self.holder(blob);
        self.adjacent[holder] = true;
    }

    /// Lets the storage that `blob` fills become the part of `whole` that starts at vector `start`; whether it could.
    pub fn become_part(&mut self, blob: usize, whole: usize, start: usize) -> bool {
        let (holder, offset) = self.holder(blob);
        let free =
            offset == 0 && !self.adjacent[holder] && self.holders[whole] == (whole, 0) && holder != whole;
        if free {
            self.holders[holder] = (whole, start);
        }
        free
    }
}

/// What a piece of the workspace is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// The storage of this blob.
    Blob(usize),
    /// The ring of the fused convolution that is this action.
    Ring(usize),
}

/// Storage needed from one action to another, both included.
#[derive(Debug)]
pub(super) struct Life {
    pub first: usize,
    pub last: usize,
    pub vectors: usize,
    pub blocks: usize,
}

impl Life {
    fn size(&self) -> usize {
        self.vectors * self.blocks
    }
}

/// Lives by owner, in the order of their first actions.
#[derive(Debug, Default)]
pub(super) struct Lives {
    index: HashMap<Owner, usize>,
    lives: Vec<Life>,
}

impl Lives {
    /// The life of `owner`, which starts as `new` says.
    pub fn of(&mut self, owner: Owner, new: impl FnOnce() -> Life) -> &mut Life {
        let index = *self.index.entry(owner).or_insert(self.lives.len());
        if index == self.lives.len() {
            self.lives.push(new());
        }
        &mut self.lives[index]
    }

    /// Offsets, such that two storages overlap only when their lives do not.
    pub fn arrange(self) -> Arrangement {
        let mut offsets: Vec<usize> = Vec::new();
        for life in &self.lives {
            let mut taken: Vec<(usize, usize)> = self
                .lives
                .iter()
                .zip(&offsets)
                .filter(|(other, _)| other.first <= life.last && life.first <= other.last)
                .map(|(other, &offset)| (offset, offset + other.size()))
                .collect();
            taken.sort_unstable();
            let mut offset = 0;
            for (start, end) in taken {
                if offset + life.size() <= start {
                    break;
                }
                offset = offset.max(end);
            }
            offsets.push(offset);
        }
        Arrangement { lives: self, offsets }
    }
}

/// Where each storage lies.
#[derive(Debug)]
pub(super) struct Arrangement {
    lives: Lives,
    offsets: Vec<usize>,
}

impl Arrangement {
    /// Vectors of all storages.
    pub fn vectors(&self) -> usize {
        self.lives
            .lives
            .iter()
            .zip(&self.offsets)
            .map(|(life, offset)| offset + life.size())
            .max()
            .unwrap_or(0)
    }

    /// First vector, and the vectors from one block to the next (0 where blocks replace each other).
    pub fn place(&self, owner: Owner) -> Option<(usize, usize)> {
        let &index = self.lives.index.get(&owner)?;
        let life = &self.lives.lives[index];
        Some((self.offsets[index], if life.blocks > 1 { life.vectors } else { 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_move_with_their_whole() {
        let mut sharing = Sharing::new(6);
        sharing.share(1, 0);
        assert!(sharing.become_part(1, 2, 30));
        sharing.share(3, 2);
        assert!(sharing.become_part(3, 4, 100));
        let holders: Vec<_> = (0..6).map(|blob| sharing.holder(blob)).collect();
        assert_eq!(holders, [(4, 130), (4, 130), (4, 100), (4, 100), (4, 0), (5, 0)]);
        assert!(!sharing.become_part(1, 5, 0), "a part cannot be part of another whole");
        sharing.keep_adjacent(4);
        assert!(!sharing.become_part(4, 5, 0));
    }

    #[test]
    fn storages_overlap_only_when_their_lives_do_not() {
        let mut lives = Lives::default();
        let spans = [(0, 3, 5), (1, 2, 4), (2, 6, 3), (3, 3, 4), (4, 9, 5), (5, 9, 7)];
        for (blob, (first, last, vectors)) in spans.into_iter().enumerate() {
            lives.of(Owner::Blob(blob), || Life { first, last, vectors, blocks: 1 + blob % 2 });
        }
        let arrangement = lives.arrange();
        let range = |blob: usize| {
            let (offset, stride) = arrangement.place(Owner::Blob(blob)).unwrap();
            assert_eq!(stride, if blob % 2 == 1 { spans[blob].2 } else { 0 });
            offset..offset + spans[blob].2 * (1 + blob % 2)
        };
        for one in 0..spans.len() {
            assert!(range(one).end <= arrangement.vectors());
            for other in 0..one {
                let apart = spans[one].0 > spans[other].1 || spans[other].0 > spans[one].1;
                assert!(
                    apart || range(one).end <= range(other).start || range(other).end <= range(one).start
                );
            }
        }
        assert!(arrangement.vectors() < spans.iter().map(|span| 2 * span.2).sum());
        assert_eq!(arrangement.place(Owner::Ring(0)), None);
    }
}
