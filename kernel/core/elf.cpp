#include "kernel/core/elf.hpp"

#include "kernel/arch/x86_64/layout.h"
#include "kernel/memory/kernel_buffer.hpp"
#include "kernel/memory/page_allocator.hpp"

namespace pulse {

namespace {

// System V ABI, chapter 4 and 5.
struct ElfHeader {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  u64 entry, program_headers, section_headers;
  u32 flags;
  u16 header_size, program_header_size, program_header_count, section_header_size, section_header_count, names;
};
struct ProgramHeader {
  u32 type, flags;
  u64 offset, address, physical, file_size, memory_size, alignment;
};
constexpr u8 magic[] = {0x7F, 'E', 'L', 'F', 2, 1, 1};  // 64 bits, little-endian, version 1
constexpr u16 executable = 2, shared_object = 3, x86_64 = 62;
constexpr u32 load = 1, interpreter = 3;
constexpr u32 may_execute = 1, may_write = 2, may_read = 4;
constexpr u16 most_program_headers = 64;
constexpr u64 position_independent_base = 0x5555'5555'4000;

bool read_exactly(Node& node, u64 offset, void* into, std::size_t size) {
  KernelBuffer buffer(into, size);
  const auto count = node.read_at(offset, buffer);
  return count && *count == size;
}

u32 protection_of(const ProgramHeader& header) {
  return ((header.flags & may_read) != 0 ? protection::read : 0) |
         ((header.flags & may_write) != 0 ? protection::write : 0) |
         ((header.flags & may_execute) != 0 ? protection::execute : 0);
}

Result<void> map_segment(AddressSpace& space, const Ref<Node>& node, const ProgramHeader& header, u64 base) {
  const u64 address = base + header.address;
  const u64 within = address % page_bytes;
  const bool sound = header.memory_size >= header.file_size && header.memory_size < USER_END && address < USER_END &&
                     header.offset % page_bytes == within && header.offset + header.file_size >= header.offset;
  if (!sound) return fail(Errno::NotExecutable);
  const auto mapped = space.map({.address = address - within,
                                 .size = within + header.memory_size,
                                 .protection = protection_of(header),
                                 .flags = map_flag::is_private | map_flag::fixed,
                                 .node = header.file_size > 0 ? node : Ref<Node>(),
                                 .node_offset = header.offset - within,
                                 .node_bytes = within + header.file_size});
  if (!mapped) return fail(mapped.error() == Errno::NoMemory ? Errno::NoMemory : Errno::NotExecutable);
  return {};
}

}  // namespace

Result<LoadedProgram> load_program(AddressSpace& space, const Ref<Node>& node) {
  ElfHeader elf;
  if (!read_exactly(*node, 0, &elf, sizeof elf)) return fail(Errno::NotExecutable);
  for (std::size_t i = 0; i < sizeof magic; ++i) {
    if (elf.ident[i] != magic[i]) return fail(Errno::NotExecutable);
  }
  const bool ours = elf.machine == x86_64 && (elf.type == executable || elf.type == shared_object) &&
                    elf.program_header_size == sizeof(ProgramHeader) && elf.program_header_count > 0 &&
                    elf.program_header_count <= most_program_headers;
  if (!ours) return fail(Errno::NotExecutable);
  std::vector<ProgramHeader> headers(elf.program_header_count);
  if (!read_exactly(*node, elf.program_headers, headers.data(), headers.size() * sizeof(ProgramHeader))) {
    return fail(Errno::NotExecutable);
  }
  const u64 base = elf.type == shared_object ? position_independent_base : 0;
  LoadedProgram program{.entry = base + elf.entry, .program_header_count = elf.program_header_count};
  for (const ProgramHeader& header : headers) {
    if (header.type == interpreter) return fail(Errno::NotExecutable);
    if (header.type != load || header.memory_size == 0) continue;
    if (const auto done = map_segment(space, node, header, base); !done) return fail(done.error());
    program.end = std::max(program.end, page_ceiling(base + header.address + header.memory_size));
    if (elf.program_headers >= header.offset && elf.program_headers < header.offset + header.file_size) {
      program.program_headers = base + header.address + (elf.program_headers - header.offset);
    }
  }
  if (program.end == 0) return fail(Errno::NotExecutable);
  return program;
}

}  // namespace pulse
