#include "kernel/core/error_name.hpp"

#include <algorithm>
#include <iterator>

namespace pulse {

namespace {

struct Named {
  Errno error;
  std::string_view name;
};
constexpr Named names[] = {
    {Errno::PermissionDenied, "EPERM"},
    {Errno::NoEntry, "ENOENT"},
    {Errno::NoProcess, "ESRCH"},
    {Errno::Interrupted, "EINTR"},
    {Errno::InputOutput, "EIO"},
    {Errno::NoDevice6, "ENXIO"},
    {Errno::TooLongArguments, "E2BIG"},
    {Errno::NotExecutable, "ENOEXEC"},
    {Errno::BadFile, "EBADF"},
    {Errno::NoChild, "ECHILD"},
    {Errno::TryAgain, "EAGAIN"},
    {Errno::NoMemory, "ENOMEM"},
    {Errno::AccessDenied, "EACCES"},
    {Errno::BadAddress, "EFAULT"},
    {Errno::NotBlockDevice, "ENOTBLK"},
    {Errno::Busy, "EBUSY"},
    {Errno::Exists, "EEXIST"},
    {Errno::CrossDevice, "EXDEV"},
    {Errno::NoDevice, "ENODEV"},
    {Errno::NotDirectory, "ENOTDIR"},
    {Errno::IsDirectory, "EISDIR"},
    {Errno::Invalid, "EINVAL"},
    {Errno::TooManyFilesInSystem, "ENFILE"},
    {Errno::TooManyFiles, "EMFILE"},
    {Errno::NotTerminal, "ENOTTY"},
    {Errno::FileTooBig, "EFBIG"},
    {Errno::NoSpace, "ENOSPC"},
    {Errno::IllegalSeek, "ESPIPE"},
    {Errno::ReadOnly, "EROFS"},
    {Errno::TooManyLinks, "EMLINK"},
    {Errno::BrokenPipe, "EPIPE"},
    {Errno::OutOfDomain, "EDOM"},
    {Errno::OutOfRange, "ERANGE"},
    {Errno::NameTooLong, "ENAMETOOLONG"},
    {Errno::NotImplemented, "ENOSYS"},
    {Errno::NotEmpty, "ENOTEMPTY"},
    {Errno::Loop, "ELOOP"},
    {Errno::NotSupported, "EOPNOTSUPP"},
    {Errno::NoAddressFamily, "EAFNOSUPPORT"},
    {Errno::TimedOut, "ETIMEDOUT"},
    {Errno::RestartAlways, "ERESTARTSYS"},
    {Errno::RestartNoHandler, "ERESTARTNOHAND"},
};

}  // namespace

std::string_view name_of(Errno error) {
  const auto* const found = std::ranges::find(names, error, &Named::error);
  return found != std::end(names) ? found->name : "?";
}

}  // namespace pulse
