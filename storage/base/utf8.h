// UTF-8, as strictly as it is meant. Pure.
#ifndef VARVE_STORAGE_BASE_UTF8_H_
#define VARVE_STORAGE_BASE_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace varve {

struct DecodedCharacter {
  size_t bytes = 1;  // of the text that it takes
  uint32_t code = 0;
  bool valid = false;
};

// The first character of `text`, which is not empty and meant to be UTF-8. Overlong forms,
// surrogates and what is cut off are not valid and take one byte.
DecodedCharacter DecodeFirst(std::string_view text);

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_UTF8_H_
