// Why content is kept: its edges, and those of what names it, up to tags, holds, leases and
// promises. Reads only, so the answer is of the moment; bounded by kMaxKeepers. Thread-safe: no
// shared state.
#ifndef VARVE_STORAGE_IMAGES_KEEPERS_H_
#define VARVE_STORAGE_IMAGES_KEEPERS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "storage/api/claims.h"
#include "storage/base/clock.h"
#include "storage/catalog/image_finder.h"
#include "storage/catalog/repositories.h"
#include "storage/index/index.h"
#include "storage/promises/promises.h"

namespace varve {

struct KeeperParts {
  Index& index;
  Repositories& repositories;
  ImageFinder& finder;
  Promises& promises;
  Clock& clock;
};

// Claims::ExplainKept.
absl::StatusOr<KeeperReport> ExplainKept(const KeeperParts& parts, std::string_view name);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGES_KEEPERS_H_
