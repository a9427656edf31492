#include "kernel/core/file_table.hpp"

#include "kernel/core/process.hpp"

namespace pulse {

namespace {
/// Of who runs now: a table may be shared by processes with other limits.
u64 allowed_files() {
  const Process* const process = current_thread().process;
  return process != nullptr ? process->limits.now(Limited::OpenFiles) : FileTable::most_files;
}
}  // namespace

FileTable::~FileTable() {
  for (Entry& entry : entries_) {
    if (entry.file) entry.file->closed();
  }
}

Result<u32> FileTable::add(Ref<File> file, OnExec on_exec, u32 from) {
  u32 number = from;
  while (number < entries_.size() && entries_[number].file) ++number;
  const u64 most = allowed_files();
  if (number >= most) return fail(from >= most ? Errno::Invalid : Errno::TooManyFiles);
  if (number >= entries_.size()) entries_.resize(number + 1);
  entries_[number] = {std::move(file), on_exec};
  return number;
}

Result<void> FileTable::put(u32 number, Ref<File> file, OnExec on_exec) {
  if (number >= allowed_files()) return fail(Errno::BadFile);
  if (number >= entries_.size()) entries_.resize(number + 1);
  const Ref<File> before = entries_[number].file;
  entries_[number] = {std::move(file), on_exec};
  if (before) before->closed();
  return {};
}

Result<Ref<File>> FileTable::get(u64 descriptor) const {
  const auto number = static_cast<u32>(descriptor);
  if (number >= entries_.size() || !entries_[number].file) return fail(Errno::BadFile);
  return entries_[number].file;
}

Result<void> FileTable::close(u64 descriptor) {
  const auto number = static_cast<u32>(descriptor);
  const auto file = get(number);
  if (!file) return fail(file.error());
  entries_[number] = {};
  (*file)->closed();
  return {};
}

Result<FileTable::OnExec> FileTable::on_exec(u64 descriptor) const {
  const auto number = static_cast<u32>(descriptor);
  if (number >= entries_.size() || !entries_[number].file) return fail(Errno::BadFile);
  return entries_[number].on_exec;
}

Result<void> FileTable::set_on_exec(u64 descriptor, OnExec on_exec) {
  const auto number = static_cast<u32>(descriptor);
  if (number >= entries_.size() || !entries_[number].file) return fail(Errno::BadFile);
  entries_[number].on_exec = on_exec;
  return {};
}

void FileTable::close_for_exec() {
  for (u32 number = 0; number < entries_.size(); ++number) {
    if (entries_[number].file && entries_[number].on_exec == OnExec::Close) (void)close(number);
  }
}

Ref<FileTable> FileTable::copy() const {
  auto* table = new FileTable;
  table->entries_ = entries_;
  return Ref<FileTable>(table);
}

}  // namespace pulse
