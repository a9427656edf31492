// Pages of files in the host's memory: as many as there are left, and a page that was given back shows who still uses
// it.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "kernel/fs/tmpfs.hpp"

namespace pulse::tests {

class HostPages final : public FilePages {
 public:
  Result<u64> take() override {
    if (left == 0) return fail(Errno::NoSpace);
    --left;
    pages_.push_back(std::make_unique<Page>());
    return pages_.size() - 1;
  }
  void share(u64 page) override { ++pages_[page]->owners; }
  void release(u64 page) override {
    if (--pages_[page]->owners > 0) return;
    ++left;
    pages_[page]->bytes.fill(given_back);
  }
  [[nodiscard]] u8* bytes(u64 page) override { return pages_[page]->bytes.data(); }
  /// Nobody wrote to a page after it was given back.
  [[nodiscard]] bool are_sound() const {
    return std::ranges::all_of(pages_, [](const auto& page) {
      return page->owners > 0 || std::ranges::all_of(page->bytes, [](u8 byte) { return byte == given_back; });
    });
  }
  int left = 4;

 private:
  static constexpr u8 given_back = 0xDD;
  struct Page {
    std::array<u8, 4096> bytes{};
    int owners = 1;
  };
  std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace pulse::tests
