// absl::StrCat that also takes std::string_view: Debian's Abseil is built with its own string_view
// class, which std::string_view does not convert to.
#ifndef VARVE_STORAGE_BASE_STR_CAT_H_
#define VARVE_STORAGE_BASE_STR_CAT_H_

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace varve {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

template <typename Piece>
decltype(auto) AsAbslPiece(const Piece& piece) {
  if constexpr (std::is_same_v<Piece, std::string_view>) {
    return ToAbsl(piece);
  } else {
    return (piece);
  }
}

template <typename... Pieces>
std::string StrCat(const Pieces&... pieces) {
  return absl::StrCat(AsAbslPiece(pieces)...);
}

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_STR_CAT_H_
