//! Who may open a pipe by its name.

use std::{io, ptr};

use windows_sys::Win32::{
    Foundation::{GENERIC_ALL, HANDLE},
    Security::{
        ACL_REVISION, AddAccessAllowedAce, GetTokenInformation, InitializeAcl,
        InitializeSecurityDescriptor, SECURITY_ATTRIBUTES, SECURITY_DESCRIPTOR,
        SetSecurityDescriptorDacl, TOKEN_USER, TokenUser,
    },
};

use super::check;

/// What `GetCurrentThreadEffectiveToken` is in the headers of Windows 8 and newer.
const EFFECTIVE_TOKEN: HANDLE = ptr::without_provenance_mut(-6_isize as usize);
/// `SECURITY_DESCRIPTOR_REVISION`.
const REVISION: u32 = 1;

/// Calls `create` with a security descriptor that allows access to the user of this thread alone.
pub(super) fn for_this_user<T>(create: impl FnOnce(&SECURITY_ATTRIBUTES) -> T) -> io::Result<T> {
    // A `TOKEN_USER` with the identifier of the user, which has at most 68 bytes; and a list with that one entry.
    let (mut user, mut list) = ([0_u64; 16], [0_u64; 16]);
    let (size, mut len) = (size_of_val(&user) as u32, 0);
    let into = user.as_mut_ptr().cast();
    // SAFETY: there is room for `size` bytes, and `len` outlives the call.
    check(unsafe { GetTokenInformation(EFFECTIVE_TOKEN, TokenUser, into, size, &mut len) })?;
    // SAFETY: the call has put one there, and `u64` is aligned as it is.
    let user = unsafe { &*user.as_ptr().cast::<TOKEN_USER>() }.User.Sid;

    let entries = list.as_mut_ptr().cast();
    let mut descriptor = SECURITY_DESCRIPTOR::default();
    let target = ptr::from_mut(&mut descriptor).cast();
    // SAFETY: the list has room for `size` bytes and is initialised before it is added to; what is pointed to is valid until
    // the end of this function.
    unsafe {
        check(InitializeAcl(entries, size, ACL_REVISION))?;
        check(AddAccessAllowedAce(
            entries,
            ACL_REVISION,
            GENERIC_ALL,
            user,
        ))?;
        check(InitializeSecurityDescriptor(target, REVISION))?;
        check(SetSecurityDescriptorDacl(target, 1, entries, 0))?;
    }
    Ok(create(&SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: target,
        bInheritHandle: 0,
    }))
}
