// How SARIF names files (2.1.0, 3.4 and 3.14.14): by relative URIs below one directory whose id the code host knows to
// replace, so that findings of a CI job stand beside the lines of anybody's checkout.
#pragma once

#include <string>
#include <string_view>

namespace vitrine {

class ArtifactUris {
 public:
  static constexpr std::string_view base_id = "SRCROOT";
  struct Uri {
    std::string text;
    bool below_base = false;  ///< relative to the directory of base_id; else a URI with the scheme file
  };

  /// `base`: the directory's absolute path. Empty: unknown, and nothing but relative paths is below it.
  explicit ArtifactUris(std::string_view base);

  [[nodiscard]] Uri of(std::string_view path) const;
  /// Of the directory itself, with a slash at its end; empty if it is unknown.
  [[nodiscard]] std::string base_uri() const;

 private:
  bool known_;
  std::string base_;  // normal, with a slash at its end
};

}  // namespace vitrine
