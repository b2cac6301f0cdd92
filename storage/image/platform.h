// Which images run on what. Pure functions. The store knows platforms from image configs and from
// the entries of an index; both use Go's names ("linux", "amd64").
#ifndef VARVE_STORAGE_IMAGE_PLATFORM_H_
#define VARVE_STORAGE_IMAGE_PLATFORM_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace varve {

// "linux/arm64/v8"; empty fields when nothing says.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
};

// Linux on the architecture that this program was compiled for.
Platform MachinePlatform();

// "os/architecture[/variant]" of letters, digits, '.', '_' and '-', without regard to case;
// "aarch64" and other names that are not Go's are understood. InvalidArgument otherwise.
absl::StatusOr<Platform> ParsePlatform(std::string_view text);

// "linux/arm64/v8", "linux/amd64"; "" when neither system nor architecture are stated.
std::string PlatformText(const Platform& platform);

// Whether an image for `offered` is one for `wanted`. A wanted variant that is empty means any;
// "arm64" and "arm64/v8", "arm" and "arm/v7", "amd64" and "amd64/v1" are the same.
bool IsFor(const Platform& offered, const Platform& wanted);

// Whether it is so too when a wanted variant that is empty means the usual one.
bool IsExactlyFor(const Platform& offered, const Platform& wanted);

// Attestations that builders attach to an index as children for "unknown/unknown".
bool IsUnknown(const Platform& platform);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_PLATFORM_H_
