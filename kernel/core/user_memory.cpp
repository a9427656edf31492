#include "kernel/core/user_memory.hpp"

#include <cstring>
#include <new>

extern "C" pulse::i64 user_copy_string(char* to, const void* from, std::size_t size);

namespace pulse {

Result<UserText> read_user_text(u64 address, std::size_t limit) {
  if (address >= USER_END) return fail(Errno::BadAddress);
  const std::size_t most = std::min<u64>(limit, USER_END - address);
  UserText text{std::unique_ptr<char[]>(new (std::nothrow) char[limit])};
  if (!text.bytes) return fail(Errno::NoMemory);
  const i64 length = user_copy_string(text.bytes.get(), reinterpret_cast<const void*>(address), most);
  if (length < 0) return fail(Errno::BadAddress);
  if (static_cast<std::size_t>(length) == most) return fail(most == limit ? Errno::NameTooLong : Errno::BadAddress);
  text.length = static_cast<std::size_t>(length);
  return text;
}

std::size_t UserBuffer::put_some(std::span<const u8> bytes) {
  if (!is_user_range(next_, bytes.size())) return 0;
  return advance(bytes.size() - user_copy(reinterpret_cast<void*>(next_), bytes.data(), bytes.size()));
}

std::size_t UserBuffer::get_some(std::span<u8> bytes) {
  if (!is_user_range(next_, bytes.size())) return 0;
  return advance(bytes.size() - user_copy(bytes.data(), reinterpret_cast<const void*>(next_), bytes.size()));
}

}  // namespace pulse
