// From a path to a node.
#pragma once

#include <optional>
#include <string_view>

#include "kernel/core/process.hpp"

namespace pulse {

enum class LastLink : u8 { Follow, Keep };

/// NoEntry, NotDirectory, Loop, NameTooLong. An empty path is NoEntry.
[[nodiscard]] Result<Ref<Node>> resolve(const Location& location, std::string_view path,
                                        LastLink last = LastLink::Follow);
/// The same from another directory; absolute paths begin at the root all the same.
[[nodiscard]] Result<Ref<Node>> resolve_from(const Location& location, const Ref<Node>& directory,
                                             std::string_view path, LastLink last = LastLink::Follow);

/// The directory that a new or doomed name stands in, and that name.
struct Place {
  Ref<Node> directory;
  std::string_view name;  ///< part of the path
};
/// Exists if the path ends in "/", "." or ".." only.
[[nodiscard]] Result<Place> resolve_place(const Location& location, const Ref<Node>& directory, std::string_view path);

/// The absolute path of a directory, for getcwd. Into `buffer`, from its end; OutOfRange if it does not fit.
[[nodiscard]] Result<std::string_view> path_of(const Location& location, Ref<Node> directory, std::span<char> buffer);

/// What /proc/mounts says of a mount.
struct MountText {
  std::string_view source, type, path;
};
/// `upper`, the root of a file system, is seen in place of the directory `covered`.
void mount(const Ref<Node>& covered, const Ref<Node>& upper, const MountText& text);
/// The youngest mount of `upper` ends. Invalid: it is no mount's root.
[[nodiscard]] Result<void> unmount(const Ref<Node>& upper);
/// The node is the root of a mounted file system.
[[nodiscard]] bool is_mounted_on(const Ref<Node>& node);
/// The node is what a file system is mounted on.
[[nodiscard]] bool is_covered(const Ref<Node>& node);

struct MountView {
  MountText text;
  Ref<Node> covered, upper;
};
/// All mounts but the root's, oldest first; nothing behind the last one.
[[nodiscard]] std::optional<MountView> mount_at(std::size_t place);

}  // namespace pulse
