// Who works with a store now. Reads only. Thread-safe: no shared state.
#ifndef VARVE_STORAGE_RECENT_ACTIVITY_H_
#define VARVE_STORAGE_RECENT_ACTIVITY_H_

#include "absl/status/statusor.h"
#include "storage/api/system.h"
#include "storage/engine_parts.h"

namespace varve {

// System::ListActivity.
absl::StatusOr<RecentActivity> ListRecentActivity(EngineParts& parts);

}  // namespace varve

#endif  // VARVE_STORAGE_RECENT_ACTIVITY_H_
