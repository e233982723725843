import { useQuery } from "@tanstack/react-query";

import { type Schemas, api, body } from "../../api/client";

export type Overview = Schemas["Overview"];

/** All figures of the overview, in one request. */
export const useOverview = () => useQuery({ queryKey: ["overview"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/overview", { signal })), refetchInterval: 5_000 });
