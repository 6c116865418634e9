import type { Tool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { argsOf, text } from './args.ts';
import { calculate } from './calculate.ts';

/** A tool that works out arithmetic, written with signs or with the words for them. */
export function createCalculatorTool(): Tool<{ readonly math_question: string }, number> {
  return tool({
    id: 'calculator_tool',
    name: 'Calculator Tool',
    description:
      'Works out one arithmetic expression: numbers, + - * / ** (power), % (remainder), parentheses, or the words plus, minus, times, and, divided by, multiplied by, to the power of, subtract … from …. A percentage is of something, 20% of 144, or a factor, 144 * 20%; to add one write 144 + 20% of 144. It knows no units, variables or functions.',
    argsSchema: argsOf({
      math_question: text('The expression, such as "(3 + 4) * 2", "10 divided by 4" or "20% of 144"'),
    }),
    outputDescription: ['number', 'the result'],
    readOnly: true,
    run: ({ math_question }) => calculate(math_question),
  });
}

/** Works out arithmetic. */
export const calculatorTool: Tool<{ readonly math_question: string }, number> = createCalculatorTool();
