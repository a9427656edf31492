#include "machine/core/archive.hpp"

namespace vitrine {

void Archive::raw(void* data, std::size_t size) {
  auto* bytes = static_cast<u8*>(data);
  if (!loading_) {
    saved_.insert(saved_.end(), bytes, bytes + size);
    return;
  }
  if (!ok() || source_.size() - position_ < size) {
    refuse(Error::Truncated);
    std::memset(data, 0, size);
    return;
  }
  std::memcpy(data, source_.data() + position_, size);
  position_ += size;
}

void Archive::section(std::string_view name, u32 version) {
  u32 length = static_cast<u32>(name.size());
  u32 found_version = version;
  (*this)(length);
  if (loading_ && length != name.size()) return refuse(Error::WrongSection);
  std::vector<u8> found(name.begin(), name.end());
  raw(found.data(), found.size());
  if (loading_ && std::string_view(reinterpret_cast<const char*>(found.data()), found.size()) != name) {
    return refuse(Error::WrongSection);
  }
  (*this)(found_version);
  if (loading_ && found_version != version) refuse(Error::WrongVersion);
}

}  // namespace vitrine
