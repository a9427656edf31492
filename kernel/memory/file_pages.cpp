#include "kernel/memory/file_pages.hpp"

#include "kernel/memory/kernel_memory.hpp"

namespace pulse {

namespace {

class KernelPages final : public FilePages {
 public:
  Result<u64> take() override {
    const auto page = files_may_grow() ? allocate_zeroed_page() : std::nullopt;
    if (!page) return fail(Errno::NoSpace);
    return *page;
  }
  void share(u64 page) override { share_page(page); }
  void release(u64 page) override { free_page(page); }
  [[nodiscard]] u8* bytes(u64 page) override { return static_cast<u8*>(direct(page)); }
};
KernelPages pages;

}  // namespace

FilePages& kernel_file_pages() { return pages; }

}  // namespace pulse
