// Made from the OpenAPI document: npx vitest run packages/server/src/client -u

export interface paths {
    "/api/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List runs */
        get: {
            parameters: {
                query?: {
                    /** @description 1 to 1000; 50 unless given. */
                    limit?: number;
                    /** @description From the page before. */
                    cursor?: string;
                    state?: string[];
                    /** @description Runs that go by this plan now, whichever they were started with, and no others. */
                    planId?: string;
                    endUserId?: string;
                    label?: string[];
                    /** @description Error codes of failed runs. */
                    code?: string[];
                    order?: "newest" | "oldest";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page of runs. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["PlanRunSummary"][];
                            cursor: string | null;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Start a run
         * @description Give one of query, planId and plan. A worker drives the run; this answers as soon as it is stored. A query is planned by the worker: what that fails with, the run does.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["StartPlanRun"];
                };
            };
            responses: {
                /** @description The run, stored. */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanRun"];
                    };
                };
                /** @description The run of a query, stored: a worker plans it first. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanRun"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Look at a run */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    runId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The run as it stands. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanRun"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}/outputs/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Fetch a large output */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    runId: string;
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The whole value. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Output"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel a run */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    runId: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": {
                        reason?: string;
                    };
                };
            };
            responses: {
                /** @description The run, cancelled. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanRun"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry a failed run
         * @description The run goes on from the failed step; outputs and calls that succeeded are kept. A worker drives it.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    runId: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": {
                        budget?: components["schemas"]["Budget"];
                    };
                };
            };
            responses: {
                /** @description The run, ready to go on. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanRun"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow a run
         * @description Server-sent events: what happened to the run, then what happens, until it ends. Each stored event has its number as id; after a lost connection a browser sends it as Last-Event-ID and goes on there. Answers 204 when the run has ended and nothing is new, which tells a browser to stop.
         */
        get: {
            parameters: {
                query?: {
                    /** @description The number of the last event that was seen. The header Last-Event-ID goes before it. */
                    after?: number | null;
                };
                header?: never;
                path: {
                    runId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The events. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": string;
                    };
                };
                /** @description The run has ended, and nothing is new. */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What a run took
         * @description Times, model calls, tokens and tool calls, by step and in total.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    runId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description What it took so far. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ExecutionContext"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}/tool-calls": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The effects ledger of a run
         * @description Its tool calls, in the order they were begun: arguments, outcome, and what is not known.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    runId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The calls. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["ToolCall"][];
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clarifications": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List what waits for a person, across runs
         * @description Those that have waited longest first. A page may hold fewer than its limit and still have a cursor, where an answer has just been given: go on until there is none.
         */
        get: {
            parameters: {
                query?: {
                    /** @description 1 to 1000; 50 unless given. */
                    limit?: number;
                    /** @description From the page before. */
                    cursor?: string;
                    /** @description endUser, operator or role:<name> */
                    audience?: string;
                    label?: string[];
                    endUserId?: string;
                    /** @description Epoch milliseconds. */
                    raisedBefore?: number | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page of open clarifications. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["WaitingClarification"][];
                            cursor: string | null;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}/clarifications": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the clarifications of a run, answered ones included */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    runId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The clarifications. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["Clarification"][];
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{runId}/clarifications/{clarificationId}/answer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answer a clarification
         * @description Checked against the question, its audience and its expiry, and taken once: the same answer again is fine, another one is refused. Whose key it is stands in the record. The run goes on by itself.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    runId: string;
                    clarificationId: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        response?: components["schemas"]["Json"];
                    };
                };
            };
            responses: {
                /** @description The run with the answer on record. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlanRun"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List plans, newest first */
        get: {
            parameters: {
                query?: {
                    /** @description 1 to 1000; 50 unless given. */
                    limit?: number;
                    /** @description From the page before. */
                    cursor?: string;
                    /** @description Exactly this. */
                    query?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page of stored plans. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["PlanSummary"][];
                            cursor: string | null;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Make or store a plan, without running it */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewPlan"];
                };
            };
            responses: {
                /** @description The plan, stored. */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Plan"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/registered-plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the plans of the config module */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The plans that can be started by name. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: {
                                name: string;
                                planId: string;
                                label: string;
                            }[];
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans/{planId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Look at a plan */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    planId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The plan. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Plan"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tools": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the tools that plans on this server may use */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The tools. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["Tool"][];
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/end-users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List end users */
        get: {
            parameters: {
                query?: {
                    /** @description 1 to 1000; 50 unless given. */
                    limit?: number;
                    /** @description From the page before. */
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page of end users. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["EndUser"][];
                            cursor: string | null;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/end-users/{endUserId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Look at an end user */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    endUserId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The end user. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EndUser"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /**
         * Save an end user
         * @description additionalData is merged key by key (null marks a key as removed); other fields replace what was there.
         */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    endUserId: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["EndUserPatch"];
                };
            };
            responses: {
                /** @description The end user as stored. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EndUser"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /**
         * Erase an end user
         * @description Destroys the key of the person, and with it the contents of all their runs, which have to be finished; revokes their tokens and forgets their sign-ins. It cannot be undone. The store has to be encrypted.
         */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    endUserId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description How many runs can no longer be read. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            runs: number;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/end-users/{endUserId}/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a token for an end user
         * @description For the person's own browser or app: it sees that person's runs and answers what that person is asked, and nothing else. It is shown once, and ends with the key it was made with.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    endUserId: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": {
                        /** @description An hour unless given. */
                        lifeSeconds?: number;
                    };
                };
            };
            responses: {
                /** @description The token. */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            id: string;
                            token: string;
                            expiresAt: number;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Revoke all tokens of an end user */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    endUserId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description How many there were. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            revoked: number;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is asking */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The principal of the key. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            id: string;
                            organisation: string;
                            scopes: string[];
                            endUserId: string | null;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the keys of the organisation */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The keys, without secrets. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["ApiKey"][];
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Make a key */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewApiKey"];
                };
            };
            responses: {
                /** @description The key. Its secret is shown here and never again. */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ApiKey"] & {
                            key: string;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys/{keyId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke a key, or a token of an end user
         * @description The tokens that were made with a key are refused with it.
         */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    keyId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The key, revoked at once. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ApiKey"];
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List webhooks */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The webhooks, without secrets. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            items: components["schemas"]["Webhook"][];
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Add a webhook
         * @description It is told of what happens from now on. The secret its messages are signed with is shown once.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewWebhook"];
                };
            };
            responses: {
                /** @description The webhook. */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Webhook"] & {
                            secret: string;
                        };
                    };
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{webhookId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Remove a webhook */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    webhookId: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is told nothing any more. */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description What went wrong, as a problem document. */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        PlanRun: {
            id: string;
            planId: string;
            state: components["schemas"]["PlanRunState"];
            endUserId: string;
            currentStepIndex: number;
            createdAt: number | null;
            labels: {
                [key: string]: string;
            };
            runKey: string | null;
            /** @description The trace its calls belong to: that of the request that started it, or its own. */
            traceId: string | null;
            planRunInputs: {
                [key: string]: components["schemas"]["Output"];
            };
            stepOutputs: {
                [key: string]: components["schemas"]["Output"];
            };
            finalOutput: components["schemas"]["Output"] & (Record<string, never> | null);
            clarifications: components["schemas"]["Clarification"][];
            error: components["schemas"]["RunError"];
        };
        /** @enum {string} */
        PlanRunState: "NOT_STARTED" | "IN_PROGRESS" | "NEED_CLARIFICATION" | "READY_TO_RESUME" | "COMPLETE" | "FAILED";
        Output: {
            value?: components["schemas"]["Json"];
            summary: string | null;
            /** @description Of a large value: its name in agent memory. */
            outputName?: string;
        };
        /** @description Any JSON value. */
        Json: unknown;
        Clarification: {
            id: string;
            planRunId: string;
            /** @enum {string} */
            category: "Action" | "Input" | "Multiple Choice" | "Value Confirmation" | "User Verification" | "Custom";
            userGuidance: string;
            argumentName?: string;
            options?: components["schemas"]["Json"][];
            actionUrl?: string;
            requireConfirmation?: boolean;
            name?: string;
            data?: {
                [key: string]: unknown;
            };
            step: number;
            source: string | null;
            /** @description endUser, operator or role:<name> */
            audience: string;
            raisedAt: number;
            expiresAt: number | null;
            approves: {
                call: string;
                argsHash: string;
            } | null;
            resolved: boolean;
            response?: components["schemas"]["Json"];
            resolvedBy: string | null;
            resolvedAs: string | null;
            via: string | null;
        };
        RunError: {
            /** @description One of the codes of docs/errors.md */
            code: string;
            message: string;
            step: number;
            toolCallId: string;
        } | null;
        Problem: {
            type: string;
            title: string;
            status: number;
            detail: string;
            /** @description One of the codes of docs/errors.md */
            code: string;
            hint?: string;
            planRunId?: string;
            requestId?: string;
            /** @description Of BUDGET_EXCEEDED: run, planning or client. */
            scope?: string;
        };
        StartPlanRun: {
            /** @description What to plan, in words. */
            query?: string;
            /** @description A stored or registered plan, by id. */
            planId?: string;
            /** @description A registered plan, by name. */
            plan?: string;
            planRunInputs?: {
                [key: string]: components["schemas"]["Json"];
            };
            /** @description On whose behalf: an id, or the whole person. */
            endUser?: string | (components["schemas"]["EndUserPatch"] & {
                externalId: string;
            });
            /** @description The same key gives the same run. */
            runKey?: string;
            labels?: {
                [key: string]: string;
            };
            /** @description Not before this time. Epoch milliseconds. */
            startAt?: number;
            budget?: components["schemas"]["Budget"];
            /** @description What the final output must be: a JSON Schema. */
            outputSchema?: {
                [key: string]: components["schemas"]["Json"];
            };
        };
        EndUserPatch: {
            name?: string;
            email?: string;
            phoneNumber?: string;
            additionalData?: {
                [key: string]: string | null;
            };
        };
        Budget: {
            maxUsd?: number;
            maxTokens?: number;
            maxModelCalls?: number;
            maxToolCalls?: number;
            maxDurationMs?: number;
            maxOutputTokens?: number;
            /** @enum {string} */
            onBudget?: "stop" | "ask";
        };
        PlanRunSummary: {
            id: string;
            planId: string;
            state: components["schemas"]["PlanRunState"];
            endUserId: string;
            createdAt: number;
            updatedAt: number;
            labels: {
                [key: string]: string;
            };
            runKey: string | null;
            error: components["schemas"]["RunError"];
        };
        ExecutionContext: {
            createdAt: number | null;
            startedAt: number | null;
            endedAt: number | null;
            host: string | null;
            version: string | null;
            labels: {
                [key: string]: string;
            };
            runKey: string | null;
            steps: {
                step: number | null;
                ms: number;
                modelCalls: number;
                inputTokens: number;
                outputTokens: number;
                cachedInputTokens: number;
                toolCalls: number;
            }[];
            totals: {
                ms: number;
                modelCalls: number;
                inputTokens: number;
                outputTokens: number;
                cachedInputTokens: number;
                toolCalls: number;
            };
        };
        ToolCall: {
            callId: string;
            toolId: string;
            step: number;
            /** @description SUCCESS, FAILED, IN_PROGRESS, NEED_CLARIFICATION or UNKNOWN */
            status: string;
            args?: components["schemas"]["Json"];
            output?: components["schemas"]["Json"];
            idempotencyKey: string;
        } & {
            [key: string]: unknown;
        };
        WaitingClarification: {
            id: string;
            planRunId: string;
            /** @enum {string} */
            category: "Action" | "Input" | "Multiple Choice" | "Value Confirmation" | "User Verification" | "Custom";
            userGuidance: string;
            argumentName?: string;
            options?: components["schemas"]["Json"][];
            actionUrl?: string;
            requireConfirmation?: boolean;
            name?: string;
            data?: {
                [key: string]: unknown;
            };
            step: number;
            source: string | null;
            /** @description endUser, operator or role:<name> */
            audience: string;
            raisedAt: number;
            expiresAt: number | null;
            approves: {
                call: string;
                argsHash: string;
            } | null;
            resolved: boolean;
            response?: components["schemas"]["Json"];
            resolvedBy: string | null;
            resolvedAs: string | null;
            via: string | null;
            /** @description On whose behalf the run happens. */
            endUserId: string;
            /** @description What the run is about; null for keys that may not read plans. */
            plan: {
                /** @description What was asked, or the label of a plan in code. */
                query: string;
                /** @description The name of the step that asks, or its task. */
                step: string | null;
                /** @description Tools of the step, parted by commas. */
                tool: string | null;
            } | null;
        };
        PlanSummary: {
            id: string;
            query: string;
            createdAt: number;
            /** @description The name it can be started by, for a registered plan. */
            name: string | null;
        };
        Plan: {
            id: string;
            query: string;
            /** @description The plan in the form of Portia 0.9. */
            document: {
                [key: string]: unknown;
            };
        };
        NewPlan: {
            /** @description What to plan, in words. */
            query?: string;
            /** @description A plan of Portia 0.9. */
            document?: {
                [key: string]: unknown;
            };
        };
        Tool: {
            id: string;
            name: string;
            description: string;
            argsJsonSchema: {
                [key: string]: unknown;
            } | null;
            outputDescription: string[] | null;
            readOnly: boolean;
            idempotent: boolean;
        };
        EndUser: {
            externalId: string;
            name: string;
            email: string;
            phoneNumber: string;
            additionalData: {
                [key: string]: string | null;
            };
        };
        ApiKey: {
            id: string;
            name: string;
            scopes: string[];
            createdAt: number;
            expiresAt: number | null;
            revokedAt: number | null;
            /** @description Tokens of end users made with it that are valid now; they end with it. */
            tokens: number;
        };
        NewApiKey: {
            name: string;
            scopes: string[];
            /** @description Epoch milliseconds; never unless given. */
            expiresAt?: number;
        };
        Webhook: {
            id: string;
            url: string;
            events: ("clarification-raised" | "run-complete" | "run-failed")[];
            createdAt: number;
        };
        NewWebhook: {
            /** Format: uri */
            url: string;
            events: ("clarification-raised" | "run-complete" | "run-failed")[];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
