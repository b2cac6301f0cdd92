// The state of copying one image, or all of a repository, to another repository; private to the
// catalogue.
#ifndef VARVE_STORAGE_CATALOG_COPYING_H_
#define VARVE_STORAGE_CATALOG_COPYING_H_

#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "storage/catalog/catalog.h"

namespace varve {

struct Catalog::Copying {
  RepositoryId from = 0;
  std::string_view to_name;
  RepositoryId to = 0;  // 0: may not exist yet
  // As it is: with the times of its pushes, and whatever of its content is missing. Manifests that
  // the other repository lists are not copied for the sake of an index that lists them.
  bool whole_repository = false;
  // A manifest that several indexes list is copied once.
  absl::flat_hash_set<Digest> done;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_COPYING_H_
