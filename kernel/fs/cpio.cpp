// The "newc" archive of Linux's initramfs (Documentation/driver-api/early-userspace/buffer-format.rst): for each file a
// header of hexadecimal digits, its name, its bytes, each padded to four bytes.
#include <algorithm>
#include <optional>
#include <vector>

#include "kernel/fs/tmpfs.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {

namespace {

constexpr std::size_t header_bytes = 110, field_bytes = 8;
constexpr std::string_view magic = "070701", magic_with_checksum = "070702", trailer = "TRAILER!!!";
enum Field : std::size_t {
  number = 0,
  mode,
  user,
  group,
  links,
  modified,
  size,
  major,
  minor,
  device_major,
  device_minor,
  name_size,
  fields = 13
};

std::size_t padded(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

std::optional<u32> hexadecimal(std::span<const u8> digits) {
  u32 value = 0;
  for (const u8 digit : digits) {
    const int nibble = digit >= '0' && digit <= '9'   ? digit - '0'
                       : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                       : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                                      : -1;
    if (nibble < 0) return std::nullopt;
    value = value << 4 | static_cast<u32>(nibble);
  }
  return value;
}

struct Header {
  u32 field[fields];
  std::string_view name;
  std::span<const u8> content;
};

/// Takes one member off `rest`.
Result<Header> take(std::span<const u8>& rest) {
  if (rest.size() < header_bytes) return fail(Errno::Invalid);
  const std::string_view start(reinterpret_cast<const char*>(rest.data()), magic.size());
  if (start != magic && start != magic_with_checksum) return fail(Errno::Invalid);
  Header header;
  for (std::size_t i = 0; i < fields; ++i) {
    const auto value = hexadecimal(rest.subspan(magic.size() + i * field_bytes, field_bytes));
    if (!value) return fail(Errno::Invalid);
    header.field[i] = *value;
  }
  const std::size_t name_bytes = header.field[name_size];
  const std::size_t content = padded(header_bytes + name_bytes);
  if (name_bytes == 0 || content > rest.size() || header.field[size] > rest.size() - content)
    return fail(Errno::Invalid);
  header.name = {reinterpret_cast<const char*>(rest.data()) + header_bytes, name_bytes - 1};
  header.content = rest.subspan(content, header.field[size]);
  rest = rest.subspan(std::min(padded(content + header.field[size]), rest.size()));
  return header;
}

/// The directory that a member stands in; missing ones are made. `name` becomes the last name.
Result<Ref<Node>> directory_of(Node& root, std::string_view& name) {
  Ref<Node> node(&root);
  for (;;) {
    name.remove_prefix(std::min(name.find_first_not_of('/'), name.size()));
    if (name.starts_with("./")) {
      name.remove_prefix(2);
      continue;
    }
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos || name.find_first_not_of('/', slash) == std::string_view::npos) {
      name = name.substr(0, slash);
      return node;
    }
    auto next = node->look_up(name.substr(0, slash));
    if (!next) next = node->make(name.substr(0, slash), node_mode::directory | 0755, 0);
    if (!next) return fail(Errno::Invalid);
    node = *next;
    name.remove_prefix(slash);
  }
}

Result<void> unpack(Node& root, const Header& header, std::vector<std::pair<u32, Ref<Node>>>& linked) {
  std::string_view name = header.name;
  const auto directory = directory_of(root, name);
  if (!directory) return fail(directory.error());
  if (name.empty() || name == "." || name == "..") return {};
  const u32 wanted = header.field[mode];
  const std::string_view text(reinterpret_cast<const char*>(header.content.data()), header.content.size());
  if ((wanted & node_mode::type) == node_mode::link) {
    const auto made = (*directory)->make_link(name, text);
    return made ? Result<void>() : fail(made.error());
  }
  if ((wanted & node_mode::type) == node_mode::directory && (*directory)->look_up(name)) return {};
  // Hard links: members with the same number are one file; its bytes stand with one of them.
  Ref<Node> node;
  const bool shares = header.field[links] > 1 && (wanted & node_mode::type) == node_mode::regular;
  if (shares) {
    const auto place = std::ranges::find(linked, header.field[number], &std::pair<u32, Ref<Node>>::first);
    if (place != linked.end()) node = place->second;
  }
  if (node) {
    if (const auto done = (*directory)->add(name, node); !done) return done;
  } else {
    const auto made = (*directory)->make(name, wanted, header.field[device_major] << 8 | header.field[device_minor]);
    if (!made) return fail(made.error());
    node = *made;
    if (shares) linked.emplace_back(header.field[number], node);
  }
  if (!header.content.empty()) {
    if (!node->is(node_mode::regular)) return fail(Errno::Invalid);
    KernelBuffer bytes(const_cast<u8*>(header.content.data()), header.content.size());
    const auto written = node->write_at(0, bytes);
    if (!written || *written != header.content.size()) return fail(Errno::NoSpace);
  }
  node->user = header.field[user];
  node->group = header.field[group];
  node->modified = header.field[modified];
  return {};
}

}  // namespace

Result<void> unpack_cpio(Node& root, std::span<const u8> archive) {
  std::vector<std::pair<u32, Ref<Node>>> linked;
  while (!archive.empty()) {
    if (archive.front() == 0) {
      archive = archive.subspan(1);
      continue;
    }
    const auto header = take(archive);
    if (!header) return fail(header.error());
    if (header->name == trailer) {
      linked.clear();
      continue;
    }
    if (const auto done = unpack(root, *header, linked); !done) return done;
  }
  return {};
}

}  // namespace pulse
