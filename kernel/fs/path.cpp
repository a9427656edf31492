#include "kernel/fs/path.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernel/fs/permissions.hpp"

namespace pulse {

namespace {

constexpr std::size_t longest_name = 255;
constexpr int most_links = 40;

struct Mount {
  Ref<Node> covered, upper;
  std::vector<char> source, type, path;
};
std::vector<Mount> mounts;

Ref<Node> uncovered(Ref<Node> node) {
  for (const Mount& mounted : mounts) {
    if (mounted.covered == node) node = mounted.upper;
  }
  return node;
}

/// The directory above, across the root of a mounted file system; a root's is itself.
Ref<Node> above(const Location& location, const Ref<Node>& node) {
  if (node == location.root) return node;
  for (auto mounted = mounts.rbegin(); mounted != mounts.rend(); ++mounted) {
    if (!(mounted->upper == node)) continue;
    const Ref<Node> covered = mounted->covered;  // it may be unmounted while a disk is asked
    return above(location, covered);
  }
  const Ref<Node> parent = node->parent();
  return parent ? parent : node;
}

struct Walk {
  const Location& location;
  int links = 0;

  /// Everything but, if `keep_name` is set, the last name: that is left there.
  Result<Ref<Node>> go(Ref<Node> from, std::string_view path, LastLink last, std::string_view* keep_name) {
    if (path.empty()) return fail(Errno::NoEntry);
    Ref<Node> node = std::move(from);
    if (path.front() == '/') node = location.root;
    for (;;) {
      path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
      if (path.empty()) return keep_name != nullptr ? fail(Errno::Exists) : Result<Ref<Node>>(node);
      const std::size_t end = std::min(path.find('/'), path.size());
      const std::string_view name = path.substr(0, end);
      const bool is_last = path.find_first_not_of('/', end) == std::string_view::npos;
      const bool wants_directory = end < path.size();
      path.remove_prefix(end);
      if (name.size() > longest_name) return fail(Errno::NameTooLong);
      if (!node->is(node_mode::directory)) return fail(Errno::NotDirectory);
      if (!is_allowed(*node, permission::execute)) return fail(Errno::AccessDenied);
      if (name == ".") continue;
      if (name == "..") {
        node = above(location, node);
        continue;
      }
      if (is_last && keep_name != nullptr) {
        *keep_name = name;
        return node;
      }
      auto next = node->look_up(name);
      if (!next) return fail(next.error());
      Ref<Node> found = uncovered(*next);
      if (found->is(node_mode::link) && (!is_last || wants_directory || last == LastLink::Follow)) {
        if (++links > most_links) return fail(Errno::Loop);
        if (Ref<Node> straight = found->leads_to()) {
          found = std::move(straight);
        } else {
          const auto target = go(node, found->target(), LastLink::Follow, nullptr);
          if (!target) return target;
          found = *target;
        }
      }
      if (is_last && wants_directory && !found->is(node_mode::directory)) return fail(Errno::NotDirectory);
      node = std::move(found);
    }
  }
};

}  // namespace

Result<Ref<Node>> resolve_from(const Location& location, const Ref<Node>& directory, std::string_view path,
                               LastLink last) {
  Walk walk{location};
  return walk.go(directory, path, last, nullptr);
}

Result<Ref<Node>> resolve(const Location& location, std::string_view path, LastLink last) {
  return resolve_from(location, location.current, path, last);
}

Result<Place> resolve_place(const Location& location, const Ref<Node>& directory, std::string_view path) {
  Walk walk{location};
  Place place;
  const auto found = walk.go(directory, path, LastLink::Keep, &place.name);
  if (!found) return fail(found.error());
  place.directory = *found;
  return place;
}

Result<std::string_view> path_of(const Location& location, Ref<Node> directory, std::span<char> buffer) {
  std::size_t begin = buffer.size();
  const auto prepend = [&](std::string_view text) {
    if (text.size() > begin) return false;
    begin -= text.size();
    std::memcpy(buffer.data() + begin, text.data(), text.size());
    return true;
  };
  while (!(directory == location.root)) {
    Ref<Node> inside = directory;
    for (const Mount& mounted : mounts) {
      if (mounted.upper == inside) inside = mounted.covered;
    }
    const Ref<Node> parent = above(location, directory);
    if (parent == directory) break;
    bool found = false;
    for (u64 cursor = 0; !found;) {
      const auto entry = parent->entry(cursor);
      if (!entry) return fail(Errno::NoEntry);
      cursor = entry->next != 0 ? entry->next : cursor + 1;
      // A copy: a disk may be asked now, and others may read the directory meanwhile.
      char name[longest_name];
      const std::size_t length = std::min(entry->name.size(), longest_name);
      std::memcpy(name, entry->name.data(), length);
      const auto child = parent->look_up({name, length});
      if (!child || !(*child == inside)) continue;
      found = true;
      if (!prepend({name, length}) || !prepend("/")) return fail(Errno::OutOfRange);
    }
    directory = parent;
  }
  if (begin == buffer.size() && !prepend("/")) return fail(Errno::OutOfRange);
  return std::string_view(buffer.data() + begin, buffer.size() - begin);
}

void mount(const Ref<Node>& covered, const Ref<Node>& upper, const MountText& text) {
  const auto copy = [](std::string_view from) { return std::vector<char>(from.begin(), from.end()); };
  mounts.push_back({covered, upper, copy(text.source), copy(text.type), copy(text.path)});
}

Result<void> unmount(const Ref<Node>& upper) {
  for (std::size_t i = mounts.size(); i-- > 0;) {
    if (!(mounts[i].upper == upper)) continue;
    const Mount gone = std::move(mounts[i]);  // giving up the nodes may wait for a disk: after the list is whole
    mounts.erase(mounts.begin() + static_cast<std::ptrdiff_t>(i));
    return {};
  }
  return fail(Errno::Invalid);
}

bool is_mounted_on(const Ref<Node>& node) {
  return std::ranges::any_of(mounts, [&](const Mount& mounted) { return mounted.upper == node; });
}

bool is_covered(const Ref<Node>& node) {
  return std::ranges::any_of(mounts, [&](const Mount& mounted) { return mounted.covered == node; });
}

std::optional<MountView> mount_at(std::size_t place) {
  if (place >= mounts.size()) return std::nullopt;
  const Mount& mounted = mounts[place];
  const auto text = [](const std::vector<char>& from) { return std::string_view(from.data(), from.size()); };
  return MountView{{text(mounted.source), text(mounted.type), text(mounted.path)}, mounted.covered, mounted.upper};
}

}  // namespace pulse
