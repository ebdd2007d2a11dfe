/** Short names for what the API answers; see api-types.d.ts, which is made from its OpenAPI document. */

import type { components } from "./api-types.js";

type Schemas = components["schemas"];

export type JobView = Schemas["JobView"];
export type JobDetail = Schemas["JobDetail"];
export type JobPage = Schemas["JobPage"];
export type ProgressView = Schemas["ProgressView"];
export type EventView = Schemas["EventView"];
export type CandidateView = Schemas["CandidateView"];
export type LayerView = Schemas["LayerView"];
export type WorkerView = Schemas["WorkerView"];
export type ModelView = Schemas["ModelView"];
export type ComparedFront = Schemas["ComparedFront"];
export type JobState = JobView["state"];
