#include "kernel/fs/devices.hpp"

#include <algorithm>
#include <vector>

#include "kernel/core/random.hpp"

namespace pulse {

namespace {

struct Registered {
  u32 device;
  DeviceOpener opener;
};
std::vector<Registered> registered;

constexpr u32 memory_major = 1;
enum MemoryMinor : u32 { null = 3, zero = 5, full = 7, random = 8, urandom = 9 };

class MemoryFile final : public File {
 public:
  explicit MemoryFile(u32 minor) : minor_(minor) {}

  Result<std::size_t> read(IoBuffer& into) override {
    if (minor_ == null) return 0;
    const std::size_t all = into.remaining();
    while (into.remaining() > 0) {
      u64 words[32] = {};
      if (minor_ == random || minor_ == urandom) std::ranges::generate(words, random_number);
      const std::size_t count = std::min(into.remaining(), sizeof words);
      if (const auto done = into.put({reinterpret_cast<const u8*>(words), count}); !done) return fail(done.error());
    }
    return all;
  }

  Result<std::size_t> write(IoBuffer& from) override {
    if (minor_ == full) return fail(Errno::NoSpace);
    const std::size_t all = from.remaining();
    while (from.remaining() > 0) {
      u8 dropped[256];
      if (const auto done = from.get({dropped, std::min(from.remaining(), sizeof dropped)}); !done)
        return fail(done.error());
    }
    return all;
  }
  Result<u64> seek(i64, u32) override { return 0; }

 private:
  u32 minor_;
};

}  // namespace

Result<Ref<File>> open_device(Node& node, u32 flags) {
  const auto place = std::ranges::find(registered, node.device, &Registered::device);
  if (place == registered.end()) return fail(Errno::NoDevice6);
  return place->opener(node, flags);
}

void register_device(u32 device, DeviceOpener opener) { registered.push_back({device, opener}); }

void register_memory_devices() {
  for (const u32 minor : {null, zero, full, random, urandom}) {
    register_device(device_number(memory_major, minor),
                    [](Node& node, u32) { return Result<Ref<File>>(new MemoryFile(node.device & 0xFF)); });
  }
}

}  // namespace pulse
