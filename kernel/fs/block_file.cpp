#include "kernel/fs/block_file.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "kernel/core/user_memory.hpp"

namespace pulse {

namespace {

// linux/fs.h, linux/hdreg.h
namespace request {
constexpr u32 geometry = 0x0301, read_only = 0x125E, read_table_again = 0x125F, sectors = 0x1260, flush = 0x1261,
              sector_bytes = 0x1268, physical_sector_bytes = 0x127B, block_bytes = 0x8008'1270, bytes = 0x8008'1272;
}
/// struct hd_geometry. Disks have long had no such thing; these are the numbers that everybody made up.
struct Geometry {
  u8 heads = 255, sectors = 63;
  u16 cylinders = 0;
  u64 start = 0;
};

constexpr u32 seek_set = 0, seek_current = 1, seek_end = 2;
constexpr u64 sector_bytes = BlockDevice::sector_bytes;
/// As much as goes over one copy at a time.
constexpr u64 most_bytes = 64 * sector_bytes;

std::vector<NamedBlockDevice> named_devices;

class BlockFile final : public File {
 public:
  explicit BlockFile(BlockDevice& blocks) : blocks_(blocks) {}

  Result<std::size_t> read(IoBuffer& into) override {
    const Mutex::Hold hold(position);
    return advance(read_at(offset, into));
  }
  Result<std::size_t> write(IoBuffer& from) override {
    const Mutex::Hold hold(position);
    return advance(write_at(offset, from));
  }

  Result<std::size_t> read_at(u64 at, IoBuffer& into) override {
    return move(at, into, [this, &into](const Piece& piece) -> Result<std::size_t> {
      if (const auto ok = blocks_.read(piece.sector, piece.sectors); !ok) return fail(ok.error());
      return into.put_some(piece.wanted);
    });
  }

  Result<std::size_t> write_at(u64 at, IoBuffer& from) override {
    if (!blocks_.writable()) return fail(Errno::ReadOnly);
    if (at >= end() && from.remaining() > 0) return fail(Errno::NoSpace);
    const Mutex::Hold hold(blocks_.changing);
    return move(at, from, [this, &from](const Piece& piece) -> Result<std::size_t> {
      if (piece.wanted.size() != piece.sectors.size()) {
        if (const auto ok = blocks_.read(piece.sector, piece.sectors); !ok) return fail(ok.error());
      }
      if (!from.get(piece.wanted)) return 0;
      const Result<void> written = blocks_.write(piece.sector, piece.sectors);
      if (written) return piece.wanted.size();
      from.go_back(piece.wanted.size());
      return fail(written.error());
    });
  }

  Result<u64> seek(i64 distance, u32 whence) override {
    if (whence > seek_end) return fail(Errno::Invalid);
    const Mutex::Hold hold(position);
    const u64 base = whence == seek_set ? 0 : whence == seek_current ? offset : end();
    const u64 wanted = base + static_cast<u64>(distance);
    if (wanted > static_cast<u64>(std::numeric_limits<i64>::max())) return fail(Errno::Invalid);
    offset = wanted;
    return offset;
  }

  Result<u64> control(u32 number, u64 argument) override {
    const auto tell = [argument](const auto& value) -> Result<u64> {
      const auto told = write_user(argument, value);
      return told ? Result<u64>(0) : fail(told.error());
    };
    switch (number) {
      case request::bytes:
        return tell(end());
      case request::sectors:
        return tell(blocks_.sectors());
      case request::sector_bytes:
      case request::physical_sector_bytes:
        return tell(static_cast<u32>(sector_bytes));
      case request::block_bytes:
        return tell(u32{4096});
      case request::read_only:
        return tell(u32{blocks_.writable() ? 0U : 1U});
      case request::geometry: {
        Geometry geometry;
        const u64 cylinders = blocks_.sectors() / (geometry.heads * geometry.sectors);
        geometry.cylinders = static_cast<u16>(std::min<u64>(cylinders, 0xFFFF));
        geometry.start = blocks_.first_sector();
        return tell(geometry);
      }
      case request::flush: {
        const auto flushed = blocks_.flush();
        return flushed ? Result<u64>(0) : fail(flushed.error());
      }
      case request::read_table_again:  // partitions are looked for at boot
        return fail(Errno::Busy);
      default:
        return fail(Errno::NotTerminal);
    }
  }

 private:
  struct Piece {
    u64 sector;
    std::span<u8> sectors;  // whole ones, in the kernel
    std::span<u8> wanted;   // of them
  };
  [[nodiscard]] u64 end() const { return blocks_.sectors() * sector_bytes; }

  Result<std::size_t> advance(Result<std::size_t> moved) {
    if (moved) offset += *moved;
    return moved;
  }

  /// Calls `each` for piece after piece from `at` on; it says how much of the piece was moved, and less than all is a
  /// page that is not there. An error behind the first byte is told the next time.
  template <class Each>
  Result<std::size_t> move(u64 at, const IoBuffer& buffer, Each each) {
    const std::unique_ptr<u8[]> memory(new (std::nothrow) u8[most_bytes]);
    if (memory == nullptr) return fail(Errno::NoMemory);
    std::size_t moved = 0;
    while (buffer.remaining() > 0 && at < end()) {
      const u64 before = at % sector_bytes;
      const u64 count = std::min({u64{buffer.remaining()}, most_bytes - before, end() - at});
      const u64 whole = (before + count + sector_bytes - 1) / sector_bytes * sector_bytes;
      const std::span sectors(memory.get(), whole);
      const Result<std::size_t> done = each({at / sector_bytes, sectors, sectors.subspan(before, count)});
      if (!done) return moved_or(moved, done.error());
      at += *done;
      moved += *done;
      if (*done < count) return moved_or(moved, Errno::BadAddress);
    }
    return moved;
  }

  BlockDevice& blocks_;
};

}  // namespace

void register_block_device(const NamedBlockDevice& named) { named_devices.push_back(named); }

std::span<const NamedBlockDevice> block_devices() { return named_devices; }

BlockDevice* find_block_device(u32 device) {
  const auto found = std::ranges::find(named_devices, device, &NamedBlockDevice::device);
  return found != named_devices.end() ? found->blocks : nullptr;
}

Ref<File> open_block_file(BlockDevice& blocks) { return Ref<File>(new BlockFile(blocks)); }

}  // namespace pulse
