// A digest as people see ids: its first twelve hexadecimal digits, as Docker shows them.
#ifndef VARVE_STORAGE_IMAGE_SHORT_ID_H_
#define VARVE_STORAGE_IMAGE_SHORT_ID_H_

#include <cstddef>
#include <string>

#include "storage/image/digest.h"

namespace varve {

inline std::string ShortId(const Digest& digest) {
  constexpr size_t kShownDigits = 12;
  const std::string text = digest.ToString();
  return text.substr(text.find(':') + 1, kShownDigits);
}

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_SHORT_ID_H_
