#include "storage/image/platform.h"

#include <array>
#include <string>
#include <vector>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

#if defined(__x86_64__)
constexpr char kArchitecture[] = "amd64";
#elif defined(__aarch64__)
constexpr char kArchitecture[] = "arm64";
#elif defined(__arm__)
constexpr char kArchitecture[] = "arm";
#elif defined(__i386__)
constexpr char kArchitecture[] = "386";
#elif defined(__powerpc64__)
constexpr char kArchitecture[] = "ppc64le";
#elif defined(__s390x__)
constexpr char kArchitecture[] = "s390x";
#elif defined(__riscv)
constexpr char kArchitecture[] = "riscv64";
#else
constexpr char kArchitecture[] = "";
#endif

struct OtherName {
  std::string_view name;
  std::string_view architecture;
  std::string_view variant;
};
constexpr std::array<OtherName, 8> kOtherNames = {{{"x86_64", "amd64", ""},
                                                   {"x86-64", "amd64", ""},
                                                   {"aarch64", "arm64", ""},
                                                   {"armhf", "arm", "v7"},
                                                   {"armel", "arm", "v6"},
                                                   {"armv7l", "arm", ""},
                                                   {"i386", "386", ""},
                                                   {"i686", "386", ""}}};

bool IsOfName(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// The variant that an architecture has when none is said.
std::string_view UsualVariant(std::string_view architecture) {
  if (architecture == "arm64") return "v8";
  if (architecture == "arm") return "v7";
  if (architecture == "amd64") return "v1";
  return "";
}

std::string_view VariantOf(const Platform& platform) {
  return platform.variant.empty() ? UsualVariant(platform.architecture)
                                  : std::string_view(platform.variant);
}

}  // namespace

Platform MachinePlatform() { return {"linux", kArchitecture, ""}; }

absl::StatusOr<Platform> ParsePlatform(std::string_view text) {
  std::vector<std::string> parts(1);
  bool ok = true;
  for (const char c : text) {
    if (c == '/') {
      ok = ok && !parts.back().empty();
      parts.emplace_back();
    } else {
      ok = ok && IsOfName(c);
      parts.back().push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
  }
  if (!ok || parts.back().empty() || parts.size() < 2 || parts.size() > 3) {
    return absl::InvalidArgumentError(
        "a platform is OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, for instance linux/arm64");
  }
  parts.resize(3);
  Platform platform{.os = parts[0], .architecture = parts[1], .variant = parts[2]};
  for (const OtherName& other : kOtherNames) {
    if (platform.architecture != other.name) continue;
    platform.architecture = other.architecture;
    if (platform.variant.empty()) platform.variant = other.variant;
    break;
  }
  return platform;
}

std::string PlatformText(const Platform& platform) {
  if (platform.os.empty() && platform.architecture.empty()) return "";
  const std::string text = StrCat(platform.os, "/", platform.architecture);
  return platform.variant.empty() ? text : StrCat(text, "/", platform.variant);
}

bool IsFor(const Platform& offered, const Platform& wanted) {
  return offered.os == wanted.os && offered.architecture == wanted.architecture &&
         (wanted.variant.empty() || VariantOf(offered) == VariantOf(wanted));
}

bool IsExactlyFor(const Platform& offered, const Platform& wanted) {
  return IsFor(offered, wanted) && VariantOf(offered) == VariantOf(wanted);
}

bool IsUnknown(const Platform& platform) {
  return platform.os == "unknown" && platform.architecture == "unknown";
}

}  // namespace varve
