#include "storage/image/platform.h"

#include <algorithm>
#include <array>
#include <string>

#include "storage/base/str_cat.h"
#include "storage/image/time_text.h"

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
constexpr std::array<OtherName, 7> kOtherNames = {{{"x86_64", "amd64", ""},
                                                   {"x86-64", "amd64", ""},
                                                   {"aarch64", "arm64", ""},
                                                   {"armhf", "arm", "v7"},
                                                   {"armel", "arm", "v6"},
                                                   {"i386", "386", ""},
                                                   {"i686", "386", ""}}};

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

Platform ServerPlatform() { return {"linux", kArchitecture, ""}; }

absl::StatusOr<Platform> PlatformFromText(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const size_t first = lower.find('/');
  const size_t second = first == std::string::npos ? first : lower.find('/', first + 1);
  Platform platform;
  platform.os = lower.substr(0, first);
  if (first != std::string::npos) {
    platform.architecture = lower.substr(first + 1, second - first - 1);
  }
  if (second != std::string::npos) platform.variant = lower.substr(second + 1);
  if (platform.os.empty() || platform.architecture.empty() ||
      (second != std::string::npos && platform.variant.empty()) ||
      platform.variant.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        StrCat("the platform ", QuotedForError(text), " is not OS/ARCHITECTURE[/VARIANT]"));
  }
  for (const OtherName& other : kOtherNames) {
    if (platform.architecture != other.name) continue;
    platform.architecture = other.architecture;
    if (platform.variant.empty()) platform.variant = other.variant;
    break;
  }
  return platform;
}

bool IsFor(const Platform& offered, const Platform& wanted) {
  return offered.os == wanted.os && offered.architecture == wanted.architecture &&
         (wanted.variant.empty() || VariantOf(offered) == VariantOf(wanted));
}

bool IsUnknown(const Platform& platform) {
  return platform.os == "unknown" && platform.architecture == "unknown";
}

}  // namespace varve
