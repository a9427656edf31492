// A program's memory: areas of its address space, filled page by page when they are first touched.
//
// Demand paging and copy-on-write both live in fault(): the page-fault handler's question whether an access is all
// right after all. All calls come with pre-emption off.
#pragma once

#include <vector>

#include "kernel/core/ref.hpp"
#include "kernel/core/result.hpp"
#include "kernel/fs/node.hpp"
#include "kernel/memory/page_tables.hpp"

namespace pulse {

/// mmap(2)'s numbers.
namespace protection {
inline constexpr u32 read = 1, write = 2, execute = 4;
}
namespace map_flag {
inline constexpr u32 shared = 1, is_private = 2, fixed = 0x10, anonymous = 0x20, grows_down = 0x100,
                     fixed_no_replace = 0x100000;
}

/// A stretch of addresses with one protection and one content.
struct Area {
  u64 begin = 0, end = 0;  ///< multiples of a page
  u32 protection = 0;
  bool shared = false;
  Ref<Node> node;       ///< what its pages show; null: zeros
  u64 node_offset = 0;  ///< of `begin`
  u64 node_end = 0;     ///< address behind which pages are zero even if the file goes on (the end of a segment)
};

class AddressSpace : public Shared {
 public:
  [[nodiscard]] static Result<Ref<AddressSpace>> make();
  ~AddressSpace() override;

  struct Request {
    u64 address = 0;  ///< a wish, or with MAP_FIXED an order
    u64 size = 0;
    u32 protection = 0;
    u32 flags = 0;  ///< map_flag
    Ref<Node> node;
    u64 node_offset = 0;
    u64 node_bytes = ~u64{0};  ///< how much of the mapping shows the node; zeros follow
  };
  /// The address of the mapping. Invalid, NoMemory, Exists.
  [[nodiscard]] Result<u64> map(const Request& request);
  [[nodiscard]] Result<void> unmap(u64 address, u64 size);
  [[nodiscard]] Result<void> protect(u64 address, u64 size, u32 protection);
  /// madvise(2): NoMemory if a part is not mapped. `drop`: what is private reads as new from now on.
  [[nodiscard]] Result<void> advise(u64 address, u64 size, bool drop);
  /// brk(2): where the heap ends after the call.
  u64 set_break(u64 wanted);
  void start_break(u64 at) { break_begin_ = break_end_ = at; }
  /// For fork(2): the same contents; private pages are shared until one side writes.
  [[nodiscard]] Result<Ref<AddressSpace>> copy();

  enum class Access : u8 { Read, Write, Execute };
  enum class Fault : u8 { Resolved, NotMapped, Forbidden, BehindFile, NoMemory };
  [[nodiscard]] Fault fault(u64 address, Access access);

  [[nodiscard]] PageTables tables() const { return tables_; }
  /// CPU number `cpu` loads its tables, or others instead.
  void enter(u32 cpu) { cpus_ |= u64{1} << cpu; }
  void leave(u32 cpu) { cpus_ &= ~(u64{1} << cpu); }
  [[nodiscard]] const std::vector<Area>& areas() const { return areas_; }
  /// The one that `address` lies in, or null.
  [[nodiscard]] const Area* area_at(u64 address) { return find(address); }
  [[nodiscard]] bool is_heap(const Area& area) const { return area.begin < break_end_ && area.end > break_begin_; }
  /// Pages that are mapped now.
  [[nodiscard]] u64 resident_pages() const;
  static constexpr std::size_t most_areas = 1024;
  static constexpr u64 stack_top = 0x7FFF'FFFF'F000;
  /// How much is set aside for the stack of a program that begins with such a limit. Pages come as they are touched.
  [[nodiscard]] static u64 stack_size_for(u64 limit);
  // Limits of its process (setrlimit(2)); bytes.
  u64 most_bytes = ~u64{0};
  u64 most_stack = ~u64{0};

 private:
  explicit AddressSpace(PageTables tables) : tables_(tables) {}
  [[nodiscard]] Area* find(u64 address);
  [[nodiscard]] bool is_free(u64 begin, u64 end) const;
  [[nodiscard]] bool has_room_for(u64 more) const;
  [[nodiscard]] u64 find_room(u64 size) const;
  void insert(Area area);
  void split_at(u64 address);
  void drop_pages(u64 begin, u64 end);
  [[nodiscard]] Fault fill(const Area& area, u64 page, u64& entry, Access access);
  [[nodiscard]] Fault read_page(const Area& area, u64 page, u64 physical);
  [[nodiscard]] Fault copy_on_write(u64 page, u64& entry);

  /// Other CPUs that have these tables forget what they knew of them.
  void flush_elsewhere() const;

  PageTables tables_;
  u64 cpus_ = 0;             // those that have loaded them
  std::vector<Area> areas_;  // by address, never overlapping
  u64 break_begin_ = 0, break_end_ = 0;
};

}  // namespace pulse
