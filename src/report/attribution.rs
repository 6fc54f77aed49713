//! Which policy causes how many bytes.
//!
//! What several policies share is split evenly among them. Guarantees that the shares of an item add up to the item: the
//! bytes left over by a division go, one each, to the policies that so far lost most by rounding, the first in order
//! among equals (largest remainder, carried from item to item). So equal policies differ by a byte at most.

/// Bytes that the policies at `users` share.
pub(super) struct Shared<'a> {
    pub bytes: u64,
    pub users: &'a [usize],
}

/// The bytes of each of `policies` policies. An item without users is not attributed.
pub(super) fn split(items: &[Shared<'_>], policies: usize) -> Vec<u64> {
    let mut shares = vec![0u64; policies];
    // What rounding took from each so far, in 2^-32 bytes; negative after a byte left over was received.
    let mut lost = vec![0i64; policies];
    for item in items {
        let users = item.users.len() as u64;
        if users == 0 {
            continue;
        }
        let (each, left_over) = (item.bytes / users, item.bytes % users);
        let fraction = (u128::from(left_over) << 32) / u128::from(users);
        for &user in item.users {
            shares[user] = shares[user].saturating_add(each);
            lost[user] += fraction as i64;
        }
        let mut order: Vec<usize> = item.users.to_vec();
        order.sort_by_key(|&user| (std::cmp::Reverse(lost[user]), user));
        for &user in order.iter().take(left_over as usize) {
            shares[user] = shares[user].saturating_add(1);
            lost[user] -= 1 << 32;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_equal_policies_differ_by_one_byte() {
        let all = [0, 1, 2];
        let items = [
            Shared { bytes: 100, users: &all },
            Shared { bytes: 100, users: &all },
            Shared { bytes: 7, users: &all },
        ];
        assert_eq!(split(&items, 3), [69, 69, 69]);
        assert_eq!(split(&items[..2], 3), [67, 67, 66]);
    }

    /// Policy 0 got the first odd byte, so policy 1 gets the second.
    #[test]
    fn odd_bytes_go_to_whoever_lost_most() {
        let pair = [0, 1];
        let items = [Shared { bytes: 1, users: &pair }, Shared { bytes: 1, users: &pair }];
        assert_eq!(split(&items[..1], 2), [1, 0]);
        assert_eq!(split(&items, 2), [1, 1]);
    }

    #[test]
    fn only_users_pay() {
        let items = [Shared { bytes: 10, users: &[1] }, Shared { bytes: 10, users: &[] }];
        assert_eq!(split(&items, 2), [0, 10]);
    }
}
