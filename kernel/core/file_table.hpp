// The descriptors of a process, or of several that share them (CLONE_FILES).
#pragma once

#include <vector>

#include "kernel/core/limits.hpp"
#include "kernel/core/ref.hpp"
#include "kernel/core/result.hpp"
#include "kernel/fs/file.hpp"

namespace pulse {

class FileTable : public Shared {
 public:
  static constexpr u32 most_files = Limits::most_open_files;  ///< whatever a process's limit says
  enum class OnExec : u8 { Keep, Close };

  ~FileTable() override;
  /// The lowest free descriptor from `from` on. TooManyFiles.
  [[nodiscard]] Result<u32> add(Ref<File> file, OnExec on_exec, u32 from = 0);
  /// Puts it at exactly this number; what was there is closed. BadFile if the number is too large.
  [[nodiscard]] Result<void> put(u32 number, Ref<File> file, OnExec on_exec);
  // Of a system call's argument, the low 32 bits count.
  [[nodiscard]] Result<Ref<File>> get(u64 descriptor) const;
  [[nodiscard]] Result<void> close(u64 descriptor);
  [[nodiscard]] Result<OnExec> on_exec(u64 descriptor) const;
  [[nodiscard]] Result<void> set_on_exec(u64 descriptor, OnExec on_exec);
  void close_for_exec();
  /// For fork(2).
  [[nodiscard]] Ref<FileTable> copy() const;
  [[nodiscard]] u32 size() const { return static_cast<u32>(entries_.size()); }

 private:
  struct Entry {
    Ref<File> file;
    OnExec on_exec = OnExec::Keep;
  };
  std::vector<Entry> entries_;
};

}  // namespace pulse
