#include "observe/check/artifact_uris.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/types.hpp"

namespace vitrine {

namespace {

constexpr std::string_view scheme = "file://";

/// RFC 3986, 2.3; the slash separates segments.
std::string percent_encoded(std::string_view path) {
  constexpr std::string_view plain = "-._~/";
  std::string uri;
  for (const char character : path) {
    const auto byte = static_cast<u8>(character);
    const bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= 'a' && byte <= 'z') || plain.find(character) != std::string_view::npos;
    uri += is_plain ? std::string(1, character) : fmt::format("%{:02X}", byte);
  }
  return uri;
}

/// An absolute path without "." and "..", which a URI must not have (3.4.3).
std::string normal(std::string_view path) {
  std::vector<std::string_view> segments;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    at = end + 1;
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
  }
  return fmt::format("/{}", fmt::join(segments, "/"));
}

}  // namespace

ArtifactUris::ArtifactUris(std::string_view base) : known_(!base.empty()), base_(normal(base)) {
  if (!base_.ends_with('/')) base_ += '/';
}

// Where the base is unknown, it is taken for the root: a relative path can't lead out of it then.
ArtifactUris::Uri ArtifactUris::of(std::string_view path) const {
  const bool is_absolute = path.starts_with('/');
  const std::string whole = normal(is_absolute ? std::string(path) : base_ + std::string(path));
  if (whole.starts_with(base_) && (known_ || !is_absolute)) {
    return {.text = percent_encoded(std::string_view(whole).substr(base_.size())), .below_base = true};
  }
  return {.text = std::string(scheme) + percent_encoded(whole)};
}

std::string ArtifactUris::base_uri() const {
  return known_ ? std::string(scheme) + percent_encoded(base_) : std::string();
}

}  // namespace vitrine
